"""Fixtures: `stand_in`, one running for a module; `start_stand_in`, more of them; `browser` and
`client`, new for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.hub import free_port
from tests.local_descope.stand_in import Browser, Client, StandIn

StartStandIn = Callable[..., StandIn]


@pytest.fixture(scope="module")
def start_stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartStandIn]:
    """Starts a stand-in of its own: `start_stand_in(LOCAL_DESCOPE_MAIL_LIMIT="2")`."""
    running: list[StandIn] = []

    def start(port: int | None = None, **settings: str) -> StandIn:
        folder = tmp_path_factory.mktemp("descope")
        running.append(StandIn(folder, settings, port or free_port()))
        return running[-1].start()

    yield start
    for each in running:
        each.stop()


@pytest.fixture(scope="module")
def stand_in(start_stand_in: StartStandIn) -> StandIn:
    return start_stand_in(LOCAL_DESCOPE_MAIL_LIMIT="1000")


@pytest.fixture
def browser(stand_in: StandIn) -> Iterator[Browser]:
    with Browser(stand_in) as browser:
        yield browser


@pytest.fixture
def client(stand_in: StandIn) -> Iterator[Client]:
    client = Client(stand_in)
    yield client
    client.session.close()
