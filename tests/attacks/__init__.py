"""Attacks, a file for each class: every attempt is refused as expected, by the real parts."""
