"""The tests. They start the real hub with the shipped configuration, and drive a real browser."""
