"""OpenID Connect: the protocol, and the sessions and keys behind it."""
