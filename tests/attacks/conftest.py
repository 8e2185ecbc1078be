"""What the attacks share: hubs, which a refused attack leaves as they were; and a provider that
says what an attacker would like it to, with its hub."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.attacks.companies import Town
from tests.attacks.inventory import MODES
from tests.attacks.unguarded import unguarded as guards_out
from tests.conftest import StartHub
from tests.hub import Hub, free_port
from tests.odd_provider import OddProvider, odd_provider
from tests.person import Person

#: So soon what is taken away has ended, on the hubs that the attacks share.
REVOKE_SECONDS = "5"


@pytest.fixture(autouse=True)
def nothing_leaks() -> Iterator[None]:
    """No attack gets a cookie of anybody's into a log."""
    yield
    for person in Person.everybody:
        if person.hub.process is not None:
            log = person.hub.log_text()
            assert not [secret for secret in person.secrets if secret in log]


@pytest.fixture(scope="session")
def hub(start_shared: StartHub) -> Hub:
    """A hub as it is shipped, that follows quickly; one for all attacks."""
    return start_shared(ATRIUM_REVOKE_SECONDS=REVOKE_SECONDS)


@pytest.fixture(scope="session")
def hub_on_subdomains(start_shared: StartHub) -> Hub:
    """The same, where each person's dashboards have an origin of their own."""
    address = f"http://localhost:{free_port()}"
    return start_shared(
        ATRIUM_PUBLIC_URL=address,
        ATRIUM_SUBDOMAIN_HOST=address,
        ATRIUM_REVOKE_SECONDS=REVOKE_SECONDS,
    )


@pytest.fixture(scope="session", params=MODES[:2])
def front(request: pytest.FixtureRequest, hub: Hub, hub_on_subdomains: Hub) -> Hub:
    """A hub in each of its two modes."""
    return hub if request.param == "one origin" else hub_on_subdomains


@pytest.fixture(scope="session")
def unguarded(start_shared: StartHub, tmp_path_factory: pytest.TempPathFactory) -> Town:
    """A hub, with two customers, whose guards are taken out."""
    environment = guards_out(tmp_path_factory.mktemp("without"))
    return Town(start_shared(ATRIUM_CUSTOMER_TENANTS="globex, initech", **environment))


@pytest.fixture(scope="session")
def running_provider() -> Iterator[OddProvider]:
    """The provider of the one hub that asks it; for the fixture `provider`."""
    with odd_provider() as provider:
        yield provider


@pytest.fixture(scope="session")
def project_hub(running_provider: OddProvider, start_shared: StartHub) -> Hub:
    """A hub with a real project's settings, whose provider is the odd one."""
    return start_shared(**running_provider.settings)
