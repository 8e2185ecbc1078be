"""What is promised in figures, measured by `make benchmark-access`. Nothing here is a test."""
