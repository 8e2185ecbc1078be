"""`python -m dashboards`: how the hub starts a person's server."""

import gc

# Importing makes much that stays and little that goes: looking for the little costs a sixth of
# the start. `dashboards.web.front` turns it on again.
gc.disable()

from dashboards.server import run  # noqa: E402

run()
