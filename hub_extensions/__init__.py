"""What Atrium adds to JupyterHub: sign-in, groups, and a dashboard server for each person."""
