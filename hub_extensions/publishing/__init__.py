"""Publishing: a notebook is checked, put into a folder, and each version of it is kept."""
