"""The same changes at a stock JupyterHub: one person for each kind, who only looks."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection

from tests.benchmarks.records import Record
from tests.benchmarks.revocations import (
    AT_FIVE,
    BY_HUB,
    BY_ROLE,
    BY_TENANT,
    KINDS,
    ROLE,
    ROLE_REMOVED,
    Kind,
    Viewer,
    make_person,
    put_into_group,
    timed_end,
)
from tests.hub import Hub, wait_until

CONFIG: Final = Path(__file__).with_name("peer_access") / "jupyterhub_config.py"
#: Seconds after which it is "never"; the peer asks the provider again every 30.
WAIT: Final = 120.0
_STOPPED: Final = "its server is stopped, which is the nearest there is; they stay signed in"


def measure(hub: Hub, wait: float) -> list[Record]:
    """All kinds at once, each with somebody of their own, on a hub started with `CONFIG`."""
    kinds = [kind for kind in KINDS if kind.told]  # of back-channel logouts it hears nothing
    ready = threading.Barrier(len(kinds))
    people = [f"peer{number}@acme.test" for number in range(len(kinds))]
    for email in people:
        make_person(hub, email, ROLE)
    hub.api("/info")
    with ThreadPoolExecutor(len(kinds)) as threads:
        found = list(
            threads.map(lambda kind, email: _lose(hub, kind, email, ready, wait), kinds, people)
        )
    return [record for pair in zip(kinds, found, strict=True) for record in _records(*pair, wait)]


def _lose(hub: Hub, kind: Kind, email: str, ready: threading.Barrier, wait: float) -> float | None:
    person = Viewer(hub)
    try:
        person.sign_in(email)
        person.get("/hub/spawn")
        wait_until(lambda: _is_at_home(person, email), f"the server of {email}")
        if kind.group == BY_HUB:
            put_into_group(hub, email)
        group = {BY_ROLE: "analysts", BY_HUB: "finance", BY_TENANT: "everybody"}[kind.group]
        socket = wait_until(lambda: _opened(person, f"/user/{email}/ws/{group}"), "a WebSocket")
        assert socket.recv(timeout=20) == "open"
        if kind.blocks:
            socket.send("block")
            wait_until(lambda: is_blocked_at(person, email), "it blocks")
        ready.wait(60)
        if kind.name == "signed out by an admin":
            change = lambda: hub.api(f"/users/{email}/server", "DELETE")  # noqa: E731
        else:
            change = kind.ready(hub, email)
        sample = timed_end(socket, change, wait)
        return None if sample.code is None else sample.seconds
    except BaseException:
        ready.abort()
        raise
    finally:
        person.close()


def _is_at_home(person: Viewer, email: str) -> bool:
    page = person.get(f"/user/{email}/")
    return page.ok and "/user/" in page.url


def _opened(person: Viewer, path: str) -> ClientConnection | None:
    try:
        return person.connect(path)
    except InvalidStatus:
        return None  # the server still believes what it knew of the groups some seconds ago


def is_blocked_at(person: Viewer, email: str) -> bool:
    try:
        person.get(f"/user/{email}/", timeout=1)
    except OSError:
        return True
    return False


def _records(kind: Kind, seconds: float | None, wait: float) -> Sequence[Record]:
    peer: Record = {"peer": "never" if seconds is None else round(seconds, 2), "peer_samples": 1}
    if seconds is None:
        peer["peer_waited"] = wait
    if kind.name == "signed out by an admin":
        peer["peer_note"] = _STOPPED
    names = [kind.name]
    if kind is ROLE_REMOVED:
        names.append(kind.name + AT_FIVE)
    names += [other.name for other in KINDS if not other.told and other.ready is kind.ready]
    return [{"name": name, **peer} for name in names]
