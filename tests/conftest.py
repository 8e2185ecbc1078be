"""What all tests share.

Fixtures: `hub` (one real hub a module), `start_hub` (further hubs, with settings of their own),
`db` (JupyterHub's database, empty), `provider` (one that answers as wrongly as it is told to),
`chromium` (one browser a session), `visitor` (a new person's browser on `hub`), `new_visitor`
(more of them, on any hub).

A test that uses a hub or a browser carries the marker `hub` or `browser` by itself, and so do all
in the folder `integration`. The tests of a file run in one process, and those of all files that
share hubs in one too, see `SHARE_HUBS`. Tests in a browser come last: Playwright's loop runs on in
their thread, where no other loop can run then.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jupyterhub import orm
from playwright.sync_api import Browser, sync_playwright
from sqlalchemy.orm import Session
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling, LoadScopeScheduling

from tests import hub as real_hub
from tests.browser.visitor import NewVisitor, Visitor
from tests.hub import Hub
from tests.odd_provider import OddProvider, odd_provider

StartHub = Callable[..., Hub]

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_OPTIONS = (
    "--no-sandbox",  # tests also run as root, where the sandbox does not start
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
INTEGRATION = Path(__file__).parent / "integration"
LONG = ("hub", "long")
#: Files of a folder that share hubs, by `start_shared`.
SHARE_HUBS = {
    "attacks": {
        *("access_report", "asking", "asking_unguarded", "audit_trail", "back_channel"),
        *("claims_flood", "guards_out", "links", "names", "paths"),
        *("rate_limits", "revocation", "scripts", "sign_in_forgery", "sockets"),
    },
    "integration": {"groups", "sign_in", "server_cookie", "sign_out"},
}
SCREENSHOTS = Path(__file__).parents[1] / "test-results"
_PASSED = pytest.StashKey[bool]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if fixtures & {"hub", "start_hub", "start_shared"} or INTEGRATION in item.path.parents:
            item.add_marker("hub")
        if "chromium" in fixtures:
            item.add_marker("browser")
    items.sort(
        key=lambda item: (
            item.get_closest_marker("browser") is not None,
            not any(map(item.get_closest_marker, LONG)),  # begins first
        )
    )


class Together(LoadFileScheduling):
    """Gives a process whole files, and all that share hubs with them.

    The markers that pytest-xdist has for this do nothing with pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = Path(super()._split_scope(nodeid))
        folder = file.parent.name
        return (
            folder if file.stem.removeprefix("test_") in SHARE_HUBS.get(folder, ()) else str(file)
        )


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling | None:
    return Together(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> object:
    report = yield
    if report.when == "call":
        item.stash[_PASSED] = report.passed
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, Hub):
                report.sections.append((f"The end of the log of {name}", value.log_tail(40)))
    return report


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """The hub's state folder makes files that are the hub's alone; a test's own are not."""
    yield
    os.umask(0o022)


@pytest.fixture(scope="module")
def start_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartHub]:
    """Starts a further hub: `start_hub(ATRIUM_HUB_ADMINS="...")`; each ends with the module."""
    folder = tmp_path_factory.mktemp("hubs")
    running: list[Hub] = []
    yield lambda **environment: real_hub.start_hub(folder, running, **environment)
    real_hub.stop_all(running)


@pytest.fixture(scope="session")
def start_shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartHub]:
    """As `start_hub`, for the whole session."""
    folder = tmp_path_factory.mktemp("shared")
    running: list[Hub] = []
    yield lambda **environment: real_hub.start_hub(folder, running, **environment)
    real_hub.stop_all(running)


@pytest.fixture(scope="module")
def hub(start_hub: StartHub) -> Hub:
    """A hub as it is shipped: local stand-in, shipped notebooks, empty state."""
    return start_hub()


@pytest.fixture
def db() -> Iterator[Session]:
    """JupyterHub's database with our tables, in memory and empty."""
    session = orm.new_session_factory("sqlite:///:memory:")()
    yield session
    session.close()
    session.get_bind().dispose()  # pyright: ignore[reportAttributeAccessIssue]


@pytest.fixture(scope="module")
def running_provider() -> Iterator[OddProvider]:
    """A provider that answers as wrongly as it is told to; for the fixture `provider`. A module's
    own: a hub of another module would go on asking it."""
    with odd_provider() as provider:
        yield provider


@pytest.fixture
def provider(running_provider: OddProvider) -> OddProvider:
    """That provider, behaving well until it is told otherwise."""
    running_provider.reset()
    return running_provider


def find_chromium() -> str:
    """The path of this machine's Chromium, or of the one that CHROME names."""
    names = [name for name in (os.environ.get("CHROME"), *CHROMIUM_NAMES) if name]
    found = next((path for name in names if (path := shutil.which(name))), None)
    assert found, "no Chromium on this machine: make test says how to install it"
    return found


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A browser for all tests of a process."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def new_visitor(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[NewVisitor]:
    """Opens a browser for one more person: `new_visitor(hub, allow=[...])`, see `Visitor`.

    At the end each must have stayed on its hub's host and have met no error in the console.
    """
    visitors: list[Visitor] = []

    def open_visitor(hub: Hub, **options: object) -> Visitor:
        visitors.append(Visitor(chromium, hub, **options))
        return visitors[-1]

    yield open_visitor
    passed = request.node.stash.get(_PASSED, False)
    for number, visitor in enumerate(visitors):
        if not passed:
            visitor.take_screenshots(SCREENSHOTS / f"{request.node.name}-{number}")
        visitor.close()
    if passed:
        for visitor in visitors:
            visitor.assert_stayed_clean()


@pytest.fixture
def visitor(new_visitor: NewVisitor, hub: Hub) -> Visitor:
    """A person with a new browser, on the module's hub."""
    return new_visitor(hub)
