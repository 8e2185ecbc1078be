"""Tests against a real hub, without a browser."""
