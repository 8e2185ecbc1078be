"""What the attacks share: a provider that says what an attacker would like it to, and its hub."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import StartHub
from tests.hub import Hub
from tests.odd_provider import OddProvider, odd_provider


@pytest.fixture(scope="module")
def running_provider() -> Iterator[OddProvider]:
    with odd_provider() as provider:
        yield provider


@pytest.fixture
def provider(running_provider: OddProvider) -> OddProvider:
    running_provider.reset()
    return running_provider


@pytest.fixture(scope="module")
def project_hub(running_provider: OddProvider, start_hub: StartHub) -> Hub:
    """A hub with a real project's settings, whose provider is the odd one."""
    return start_hub(**running_provider.settings)
