"""What axe-core finds on a page that not everybody can use.

axe-core comes with the packages of `tests/node`, beside the provider for the tests.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.providers import NODE_PACKAGES

_SCRIPT = NODE_PACKAGES / "node_modules" / "axe-core" / "axe.min.js"
_RUN = "(exclude) => axe.run({ exclude }, { resultTypes: ['violations'] })"


def serious(page: Page, *, without: tuple[str, ...] = ()) -> list[str]:
    """The serious and critical faults of a page as it stands now, one line each; [] if it has none.

    Runs in the page by the browser's own protocol, where no policy for scripts holds it up. What
    stands in open shadow roots is looked at too.

    Args:
        page: an open page, that has come to rest.
        without: selectors of parts that are not looked at, such as a plot of a notebook's own.
    """
    page.evaluate(_script())
    found: dict[str, Any] = page.evaluate(_RUN, list(without))
    return [
        f"{fault['impact']}: {fault['help']} ({fault['id']}): {json.dumps(node['target'])}"
        f" {node['html'][:200]}"
        for fault in found["violations"]
        if fault["impact"] in {"serious", "critical"}
        for node in fault["nodes"]
    ]


@cache
def _script() -> str:
    if not _SCRIPT.exists():
        pytest.fail("axe-core is not here: `make test` installs it")
    return _SCRIPT.read_text("utf-8")
