"""What can be tested without a hub."""
