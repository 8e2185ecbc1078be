"""`python -m dashboards`: how the hub starts a person's server."""

import sys

from dashboards.server import main

sys.exit(main())
