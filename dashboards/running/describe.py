"""`python -m dashboards.running.describe FOLDER`: the cards of one folder's notebooks, as JSON.

The hub runs it for the gallery of a server that may know a folder and not read it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from dashboards.catalog import dashboards_of

#: What a card needs to know of a notebook, beside its folder.
FIELDS = (
    *("name", "title", "description", "owner", "tags"),
    *("modified_ns", "data_ns", "size", "problem"),
)


def main(folder: Path) -> None:
    """Write one record for each notebook."""
    found = sorted(dashboards_of(folder), key=lambda d: (d.title.casefold(), d.name))
    json.dump([{name: getattr(d, name) for name in FIELDS} for d in found], sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
