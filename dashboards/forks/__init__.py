"""Processes that begin warm: how they are forked, and what that takes."""
