"""The codes with which WebSockets are closed (RFC 6455, section 7.4); `static/closed.js` has them
too."""

TAKEN = 4403
"""Its dashboard is no longer shared with its viewer."""

SIGNED_OUT = 4401
"""Its viewer is no longer signed in."""

ENDED = 4410
"""The process of its dashboard has ended by itself."""

BROKEN = 1011
"""Something went wrong with this connection alone."""
