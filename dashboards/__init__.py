"""Notebooks as dashboards: the server that each person gets, and what a notebook may import."""
