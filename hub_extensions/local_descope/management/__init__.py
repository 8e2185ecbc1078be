"""The management API at Descope's paths. Importing it registers the calls of its modules."""

from . import named, snapshot, sso, users
from .frame import blueprint

__all__ = ["blueprint", "named", "snapshot", "sso", "users"]
