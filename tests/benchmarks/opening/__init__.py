"""How soon a dashboard is open, and what a viewer costs, beside the way without Atrium.

`make benchmark`. Nothing here is a test.
"""
