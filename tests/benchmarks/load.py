"""What following so many people costs: calls to the provider, and the hub's processor.

Everybody has signed in through the provider's own pages, over HTTP, so that the hub holds a real
refresh token of each. Afterwards nobody asks for a page.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from tests.benchmarks.records import Record, record
from tests.benchmarks.revocations import make_person
from tests.hub import Hub
from tests.person import Person

#: The shipped configuration, with a counter between the hub and the provider.
CONFIG: Final = Path(__file__).with_name("counted_config.py")
_HEADERS: Final = ("Content-Type", "Authorization", "Retry-After", "Cache-Control")


class Counter:
    """Stands before the stand-in, passes on what the hub asks of it, and notes when that was.

    What people's browsers ask goes past it.

    Attributes:
        asked: moment and path of each call.
        target: the stand-in's port.
    """

    def __init__(self, port: int = 0) -> None:
        self.asked: list[tuple[float, str]] = []
        self.target = 0
        self.port = port

    def find_target(self, hub: Hub) -> None:
        self.target = json.loads((hub.state / "ports.json").read_text())["descope"]

    def paths(self, since: float) -> dict[str, int]:
        """How often each path was asked since then, longest paths cut."""
        found: dict[str, int] = {}
        for moment, path in list(self.asked):
            if moment >= since:
                found[path] = found.get(path, 0) + 1
        return found


@contextmanager
def counter() -> Iterator[Counter]:
    """One on a free port."""
    counts = Counter()

    class Handler(BaseHTTPRequestHandler):
        def _pass_on(self) -> None:
            counts.asked.append((time.monotonic(), self.path.partition("?")[0]))
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {k: v for k, v in self.headers.items() if k.lower() != "host"}
            connection = HTTPConnection("127.0.0.1", counts.target, timeout=20)
            try:
                # Host is that of the stand-in itself, which answers to no other.
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                content = answer.read()
            except ConnectionRefusedError:  # the stand-in is being ended; the hub asks to the last
                self.send_error(502)
                return
            finally:
                connection.close()
            self.send_response(answer.status)
            for name in _HEADERS:
                if value := answer.getheader(name):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _pass_on

        def log_message(self, *_args: object) -> None:
            """Nothing: it counts."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    counts.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield counts
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def sign_in_many(hub: Hub, numbers: Sequence[int]) -> None:
    """Sign so many people in, without a server of their own."""

    def sign_in(number: int) -> None:
        person = Person(hub)
        person.sign_in(f"many{number:03}@acme.test")
        person.close()

    for number in numbers:
        make_person(hub, f"many{number:03}@acme.test")
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(sign_in, numbers))


def check_signed_in(hub: Hub, people: int) -> None:
    """Nobody may have been lost on the way: so many are signed in, by the hub's own table."""
    with closing(sqlite3.connect(f"file:{hub.state}/jupyterhub.sqlite?mode=ro", uri=True)) as db:
        (found,) = db.execute("select count(*) from atrium_sessions").fetchone()
    assert found == people, f"{found} are signed in, not {people}"


def count_calls(hub: Hub, counts: Counter, name: str, people: int, seconds: float) -> Record:
    """Calls in each minute that begins with a second of the time."""
    began = time.monotonic()
    time.sleep(seconds)
    check_signed_in(hub, people)
    moments = [moment for moment, _path in list(counts.asked) if moment >= began]
    minute = min(60.0, seconds)
    starts = [began + offset for offset in range(int(seconds - minute) + 1)]
    values = [
        sum(start <= moment < start + minute for moment in moments) * 60 / minute
        for start in starts
    ]
    return record(
        name,
        values,
        people=people,
        setting=30,
        seconds=seconds,
        calls=counts.paths(began),
    )


def processor_share(hub: Hub, name: str, people: int, servers: int, seconds: float) -> Record:
    """The processor time of the hub's own process, in six parts of the time."""
    values = []
    for _ in range(6):
        before, began = _processor_seconds(hub), time.monotonic()
        time.sleep(seconds / 6)
        values.append(100 * (_processor_seconds(hub) - before) / (time.monotonic() - began))
    check_signed_in(hub, people)
    return record(name, values, people=people, servers=servers, seconds=seconds)


def _processor_seconds(hub: Hub) -> float:
    assert hub.process is not None
    times = hub.process.cpu_times()  # without its children's, which are counted apart
    return times.user + times.system
