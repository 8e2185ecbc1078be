"""Coming in and going out: the provider's protocol, sign-ins under way, sessions and their end."""
