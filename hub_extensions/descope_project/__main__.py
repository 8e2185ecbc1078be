"""`python -m hub_extensions.descope_project`, for where the command itself is not on the PATH."""

import sys

from .cli import main

sys.exit(main())
