"""Something is taken away while somebody looks: how long until their WebSocket is closed.

All people of a hub look at a dashboard, each in a server of their own and through the proxy. Each
is taken something at a random moment of a minute, so that the samples meet the hub's rounds
wherever they are, and comes back at once: the others go on looking all the time. The clock starts
before the change is sent.
"""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import requests
from descope import AssociatedTenant
from websockets.sync.client import ClientConnection

from tests.benchmarks.records import Record, record
from tests.hub import Hub, wait_until
from tests.integration.test_revoking import blocking_notebook, is_blocked, put_into
from tests.person import Person, closed_with
from tests.sdk import PROJECT

TENANT, ROLE = "acme", "Analyst"
#: Given by the role, given in the hub, and given to every member of the tenant.
BY_ROLE, BY_HUB, BY_TENANT = "analysts", "finance", "user"
#: Seconds in which everybody is taken something once.
WINDOW: Final = 60.0
#: Seconds after which nobody waits for the end any more; recorded as if it had come then.
PATIENCE: Final = 90.0

Change = Callable[[], object]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One way of taking something away.

    Attributes:
        ready: makes the change ready for somebody, so that only the change itself is timed.
        give_back: undoes it.
        group: whose dashboard it closes.
        signs_out: afterwards the person is not signed in any more.
        blocks: the dashboard holds up its server.
        told: the provider tells the hub of sessions that end (back-channel logout).
    """

    name: str
    ready: Callable[[Hub, str], Change]
    give_back: Callable[[Hub, str], object] = lambda _hub, _email: None
    group: str = BY_TENANT
    signs_out: bool = False
    blocks: bool = False
    told: bool = True


def remove_role(hub: Hub, email: str) -> Change:
    return lambda: hub.project.mgmt.user.set_tenant_roles(email, TENANT, [])


def give_role(hub: Hub, email: str) -> object:
    return hub.project.mgmt.user.set_tenant_roles(email, TENANT, [ROLE])


def disable(hub: Hub, email: str) -> Change:
    return lambda: hub.project.mgmt.user.deactivate(email)


def enable(hub: Hub, email: str) -> object:
    return hub.project.mgmt.user.activate(email)


def remove_from_group(hub: Hub, email: str) -> Change:
    return lambda: _done(hub.api(f"/groups/{BY_HUB}/users", "DELETE", json={"users": [email]}))


def put_into_group(hub: Hub, email: str) -> object:
    return put_into(hub, BY_HUB, email)


def revoke_refresh_token(hub: Hub, email: str) -> Change:
    """RFC 7009, with the token that the hub holds."""
    form = {
        "token": hub.api(f"/users/{email}").json()["auth_state"]["refresh_token"],
        "token_type_hint": "refresh_token",
        "client_id": PROJECT,
        "client_secret": (hub.state / "secrets" / "descope_client_secret").read_text().strip(),
    }
    address = f"{hub.url}/services/descope/oauth2/v1/revoke"
    return lambda: _done(requests.post(address, data=form, timeout=20))


def sign_out(hub: Hub, email: str) -> Change:
    return lambda: _done(hub.api(f"/users/{email}/sign-out", "POST"))


def _done(answer: requests.Response) -> None:
    assert answer.ok, f"{answer.status_code} {answer.text[:200]}"


UNTOLD: Final = ", no back-channel logout"
AT_FIVE: Final = ", setting of 5 seconds"
ROLE_REMOVED = Kind(
    name="role removed at the provider", ready=remove_role, give_back=give_role, group=BY_ROLE
)
KINDS: Final = (
    ROLE_REMOVED,
    Kind(
        name="group removed in the hub",
        ready=remove_from_group,
        give_back=put_into_group,
        group=BY_HUB,
    ),
    Kind(name="signed out by an admin", ready=sign_out, signs_out=True),
    *(
        Kind(
            name=name + ("" if told else UNTOLD),
            ready=ready,
            give_back=give_back,
            signs_out=True,
            told=told,
        )
        for told in (True, False)
        for name, ready, give_back in (
            ("user disabled at the provider", disable, enable),
            ("refresh token revoked", revoke_refresh_token, lambda _hub, _email: None),
        )
    ),
    Kind(
        name="group removed in the hub, notebook blocks",
        ready=remove_from_group,
        give_back=put_into_group,
        group=BY_HUB,
        blocks=True,
    ),
)


class Viewer(Person):
    """Somebody whose WebSocket is closed by the other side only, however long that is silent."""

    def connect(self, path: str, *protocols: str, **options: Any) -> ClientConnection:
        return super().connect(path, *protocols, ping_interval=None, **options)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Seconds until the WebSocket was closed, and with which code; None: it was still open."""

    seconds: float
    code: int | None


def timed_end(socket: ClientConnection, change: Change, patience: float = PATIENCE) -> Sample:
    """Make a change, and wait for the end of a WebSocket, which is read meanwhile."""
    with ThreadPoolExecutor(1) as beside:
        began = time.monotonic()
        changing = beside.submit(change)
        try:
            code = closed_with(socket, patience)
        except TimeoutError:
            code = None
        seconds = time.monotonic() - began
        changing.result()
    return Sample(seconds=seconds, code=code)


class Seat:
    """One person's place before a dashboard."""

    def __init__(self, hub: Hub, email: str) -> None:
        self.hub, self.email = hub, email
        self.person: Viewer | None = None
        self.socket: ClientConnection | None = None

    def sit(self, group: str) -> None:
        """Look at a dashboard of this group; sign in and start a server if need be."""
        _slowly(lambda: group == BY_TENANT or group in self._groups(), f"{self.email} in {group}")
        if self.person is None:
            self.person = Viewer(self.hub)
            self.person.sign_in(self.email)
        if self.socket is not None:
            self.socket.close()
        if not self._servers():
            self.person.open_dashboards()
        self.socket = self.person.watch(group, "penguins")

    def leave(self) -> None:
        """Close everything of this browser."""
        if self.person is not None:
            self.person.close()
        self.person = self.socket = None

    def lose(self, kind: Kind, moment: float) -> Sample:
        """Lose something after so many seconds of looking; sit there again in the end."""
        assert self.person is not None
        assert self.socket is not None
        try:
            code = closed_with(self.socket, moment)
        except TimeoutError:
            pass
        else:
            raise AssertionError(f"{self.email} lost {kind.name} too early, with {code}")
        if kind.blocks:
            self.socket.close()
            self.socket = self.person.watch(kind.group, "blocks")
            hub, email = self.hub, self.email
            wait_until(lambda: is_blocked(hub, email), "the notebook blocks", seconds=30)
        sample = timed_end(self.socket, kind.ready(self.hub, self.email))
        kind.give_back(self.hub, self.email)
        self.socket = None
        if kind.signs_out:
            self.leave()
        if kind.signs_out:
            _slowly(lambda: not self._servers(), f"the end of the server of {self.email}")
        self.sit(kind.group)
        return sample

    def _groups(self) -> list[str]:
        if self.person is None:  # they are the provider's to give, at the sign-in
            give_role(self.hub, self.email)
            return [BY_ROLE, BY_HUB]
        return self.hub.api(f"/users/{self.email}").json()["groups"]

    def _servers(self) -> dict[str, Any]:
        answer = self.hub.api(f"/users/{self.email}")
        return answer.json()["servers"] if answer.ok else {}


def _slowly(condition: Callable[[], object], what: str) -> None:
    """Wait for something that takes seconds, and leave the processors to what is measured."""
    end = time.monotonic() + 60
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within 60 s: {what}")
        time.sleep(0.5)


def prepare(hub: Hub, people: int) -> list[Seat]:
    """So many people with all that can be taken from them, each before a dashboard."""
    for group in (BY_ROLE, BY_HUB):
        folder = hub.notebooks / group
        folder.mkdir(exist_ok=True)
        shutil.copy(hub.notebooks / "user" / "penguins.ipynb", folder)
    blocking_notebook(hub.notebooks / BY_HUB)
    seats = [Seat(hub, f"person{number:02}@acme.test") for number in range(people)]
    for seat in seats:
        make_person(hub, seat.email, ROLE)
    hub.api("/info")  # its token, before threads ask for one each
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda seat: seat.sit(BY_TENANT), seats))
    for seat in seats:
        put_into_group(hub, seat.email)
    return seats


def make_person(hub: Hub, email: str, *roles: str) -> None:
    """Somebody at the provider."""
    places = [AssociatedTenant(TENANT, list(roles))]
    hub.project.mgmt.user.create(email, email=email, verified_email=True, user_tenants=places)


def tell_of_logouts(hub: Hub, address: str) -> str:
    """Where the provider tells of sessions that end; "" for nowhere. Returns what it was."""
    before = []

    def change(file: dict[str, Any]) -> None:
        oidc = file["applications"][0]["oidc"]
        before.append(oidc["backChannelLogoutUrl"])
        oidc["backChannelLogoutUrl"] = address

    hub.project.change("applications.json", change)
    return before[0]


def measure(
    hub: Hub, seats: Sequence[Seat], kind: Kind, setting: float, window: float, suffix: str = ""
) -> Record:
    """Take that from everybody once."""
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda seat: seat.sit(kind.group), seats))
    told_at = "" if kind.told else tell_of_logouts(hub, "")
    ready = threading.Barrier(len(seats))

    def lose(seat: Seat) -> Sample:
        ready.wait()
        return seat.lose(kind, random.uniform(0, window))

    with ThreadPoolExecutor(len(seats)) as threads:
        samples = list(threads.map(lose, seats))
    if told_at:
        tell_of_logouts(hub, told_at)
    codes = Counter(str(sample.code or "open") for sample in samples)
    return record(
        kind.name + suffix,
        [sample.seconds for sample in samples],
        people=len(seats),
        setting=setting,
        closed_with=dict(codes),
    )
