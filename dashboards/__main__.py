"""`python -m dashboards`: how the hub starts a person's server."""

import gc
import logging
import os
import sys

# Importing makes much that stays and little that goes: looking for the little costs a sixth of
# the start. `dashboards.warm` turns it on again.
gc.disable()

from dashboards.server import main  # noqa: E402

status = main()
logging.shutdown()
sys.stdout.flush()
# All is closed. Taking the imported packages apart would take a second of everybody's sign-out,
# and a thread that a notebook has left would hold the process for good.
os._exit(status)
