"""A hub that files share whose tests leave its people and groups as they found them."""

from __future__ import annotations

import pytest

from tests.conftest import StartHub
from tests.hub import Hub


@pytest.fixture(scope="session")
def shared_hub(start_shared: StartHub) -> Hub:
    """A hub as it is shipped, but for the limit of wrong sign-ins: those files make many."""
    return start_shared(ATRIUM_SIGN_IN_LIMIT="1000")
