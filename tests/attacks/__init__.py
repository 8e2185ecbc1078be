"""Attempts that must be refused, a file for each class of attack."""
