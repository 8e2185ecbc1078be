"""The front of a person's server: what browsers ask for, and what the hub is asked and told."""
