"""The audit trail: who came in, who was refused and why, who was given or lost what by whom."""

from .events import Action, close, configure, current, record
from .trail import TrailInUse

__all__ = ["Action", "TrailInUse", "close", "configure", "current", "record"]
