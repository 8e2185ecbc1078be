"""Notebooks as dashboards: the server that each person gets, and what a notebook may import."""

from dashboards.identity import CurrentUser, current_user

__all__ = ["CurrentUser", "current_user"]
