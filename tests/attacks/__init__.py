"""Attacks, one file a class; each is refused, and the guard that refuses it is named."""
