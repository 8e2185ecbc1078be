"""What Atrium adds to JupyterHub: sign-in through Descope, groups, and a dashboard server for each person."""
