"""A notebook that runs: its cells, what they show, and what they share."""
