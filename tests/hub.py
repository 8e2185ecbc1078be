"""A real hub in a process of its own, started with the shipped `jupyterhub_config.py`."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import psutil
import requests
from jupyterhub import orm, roles
from sqlalchemy.engine import make_url

from tests.ranges import PORTS
from tests.sdk import Project

ROOT = Path(__file__).parents[1]
START_SECONDS = 60
STOP_SECONDS = 60
#: Makes the stand-in's signing keys older by some seconds.
AGE_KEYS = """UPDATE records SET body = json_set(body, '$.createdTime',
    json_extract(body, '$.createdTime') - ?) WHERE kind = 'SigningKey'"""

#: For hubs that start one server or none: the template takes some seconds of processor, as does
#: each server without it.
FEW_SERVERS = {"ATRIUM_TEMPLATE": "off"}

_ports = iter(random.sample(PORTS, len(PORTS)))

T = TypeVar("T")


def wait_until(condition: Callable[[], T], what: str, *, seconds: float = 20) -> T:
    """Ask again and again until the answer is true, and return that answer.

    Raises:
        AssertionError: it was not within the time; names `what`.
    """
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.05)  # between two looks at a condition, never instead of one


def free_port() -> int:
    """A port that nothing listens on, and that no other test is given: it may be bound later."""
    for port in _ports:
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("every port of this process of pytest has been given")


class Hub:
    """One hub with a state folder and a copy of the shipped notebooks of its own.

    Attributes:
        url: the public address, no slash at its end.
        state: the state folder.
        notebooks: the folder of notebooks, a test's to change.
        process: the running hub.
        before: a command that starts the hub's, such as one that takes another account.
        config: the configuration file, the shipped one.
    """

    def __init__(self, folder: Path, **environment: str) -> None:
        """Prepare a hub below `folder`; `environment` adds settings or replaces them."""
        self.folder = folder
        self.state = folder / "state"
        self.notebooks = folder / "notebooks"
        self.url = environment.get("ATRIUM_PUBLIC_URL", f"http://127.0.0.1:{free_port()}")
        self._log = folder / "hub.log"
        self._environment = {
            # Nothing of the person's own settings; only what a process needs to run at all.
            **{name: os.environ[name] for name in ("LANG", "TMPDIR", "TZ") if name in os.environ},
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.defpath]),
            "HOME": str(folder),
            "ATRIUM_STATE": str(self.state),
            "ATRIUM_NOTEBOOKS": str(self.notebooks),
            "ATRIUM_PUBLIC_URL": self.url,
            "ATRIUM_THUMBNAILS": "off",  # they would run every notebook beside each test
            **environment,
        }
        self.before: list[str] = []
        self.config = ROOT / "jupyterhub_config.py"
        self.process: psutil.Popen | None = None
        self._begin = 0  # of what the hub that runs now has said, in the log
        self._processes: set[psutil.Process] = set()
        self._session = requests.Session()
        shutil.copytree(ROOT / "notebooks", self.notebooks, dirs_exist_ok=True)
        self.state.mkdir(mode=0o700)
        ports = {name: free_port() for name in ("hub", "proxy_api", "descope", "files")}
        (self.state / "ports.json").write_text(json.dumps(ports))

    def start(self, *options: str) -> Hub:
        """Start the hub, from a working folder of its own, and wait until it answers."""
        self._session = requests.Session()  # a hub forgets at its start what only tests told it
        command = [*self.before, sys.executable, "-m", "jupyterhub"]
        command += ["-f", str(self.config), *options]
        with self._log.open("ab") as log:
            self._begin = log.tell()
            self.process = psutil.Popen(
                command,
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes.add(psutil.Process(self.process.pid))
        try:
            wait_until(self._serves, "a hub that serves", seconds=START_SECONDS)
        except BaseException as error:
            self.kill()
            error.add_note(self.log_tail())
            raise
        return self

    def _serves(self) -> bool:
        assert self.process is not None
        self.processes()  # seen now, they can be ended should the hub itself fail to start
        if self.process.poll() is not None:
            raise AssertionError(f"the hub ended with status {self.process.returncode}")
        return b"JupyterHub is now running at" in self._log.read_bytes()[self._begin :]

    def log_text(self) -> str:
        return self._log.read_text(errors="replace")

    def log_tail(self, lines: int = 60) -> str:
        return "\n".join(self.log_text().splitlines()[-lines:])

    def atrium(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Give the command `atrium` as the operator of this hub does."""
        return subprocess.run(
            [str(Path(sys.executable).with_name("atrium")), *arguments],
            cwd=ROOT,
            env={
                "PATH": os.defpath,
                "ATRIUM_STATE": str(self.state),
                "ATRIUM_NOTEBOOKS": str(self.notebooks),
            },
            capture_output=True,
            text=True,
            timeout=90,
        )

    def jupyterhub(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Give another of JupyterHub's own commands, with this hub's configuration."""
        return subprocess.run(
            [sys.executable, "-m", "jupyterhub", *arguments, "-f", str(self.config)],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
        )

    def api(self, path: str, method: str = "GET", **options: object) -> requests.Response:
        """Ask the hub's REST API with all of its rights; `options` are those of requests."""
        if "Authorization" not in self._session.headers:
            # Anew each time: the proxy may just be closing a connection that nobody has used.
            self._session.headers["Connection"] = "close"
            self._session.headers["Authorization"] = f"token {self._new_api_token()}"
        return self._session.request(method, f"{self.url}/hub/api{path}", timeout=20, **options)

    def _new_api_token(self) -> str:
        """A token with the hub's own role `admin`, written where the hub keeps its tokens.

        The shipped configuration offers none, and must not for the sake of tests.
        """
        url = make_url("sqlite://").set(database=str(self.state / "jupyterhub.sqlite"))
        db = orm.new_session_factory(url.render_as_string())()
        try:
            service = orm.Service.find(db, "test") or orm.Service(name="test")
            db.add(service)
            db.commit()
            roles.grant_role(db, service, "admin")
            return service.new_api_token()
        finally:
            db.close()
            db.get_bind().dispose()

    @functools.cached_property
    def project(self) -> Project:
        """The stand-in's project as Descope's SDK reaches it, with the management key."""
        key = (self.state / "secrets" / "descope_management_key").read_text().strip()
        return Project(f"{self.url}/services/descope", key)

    def rotate_provider_keys(self) -> None:
        """Make the key that signs the stand-in's tokens a month old: another takes over."""
        self._change_provider(AGE_KEYS, 30 * 24 * 3600)

    def forget_mails(self) -> None:
        """Have the stand-in forget how many links it has sent to an address, which it limits."""
        self._change_provider("DELETE FROM links")

    def _change_provider(self, statement: str, *values: object) -> None:
        store = sqlite3.connect(self.state / "descope" / "project.sqlite")
        with contextlib.closing(store), store:
            store.execute(statement, values)

    def processes(self) -> set[psutil.Process]:
        """The hub and all that came from it and still runs, seen now or at an earlier call."""
        for process in list(self._processes):
            try:
                self._processes.update(process.children(recursive=True))
            except psutil.NoSuchProcess:
                continue
        return {process for process in self._processes if _runs(process)}

    def server_of(self, name: str, of: str = "") -> psutil.Process | None:
        """The process of one of somebody's servers: the default one, or the named one."""
        row = self._spawner_of(name, of)
        try:
            process = psutil.Process(json.loads(row[1])["pid"]) if row else None
        except (KeyError, TypeError, psutil.NoSuchProcess):  # it has none
            return None
        return process if process and _runs(process) else None

    def front_of(self, name: str, of: str = "") -> psutil.Process:
        """The process of one of somebody's servers that talks to the hub and to browsers."""
        return self._forks_of(name, of)[0]

    def sessions_of(self, name: str) -> list[psutil.Process]:
        """The processes of somebody's dashboards."""
        return self._forks_of(name)[1:]

    def _forks_of(self, name: str, of: str = "") -> list[psutil.Process]:
        """In the order of their beginning, which is not always that of their numbers."""
        server = self.server_of(name, of)
        assert server is not None, name
        pids = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        found = []
        for pid in pids:
            with contextlib.suppress(psutil.NoSuchProcess):  # it ends just now
                found.append(psutil.Process(int(pid)))
        return found

    def home_of(self, name: str, of: str = "") -> Path:
        """The home of one of somebody's servers."""
        row = self._spawner_of(name, of)
        assert row, f"no server {of!r} of {name}"
        homes = (self.state / "people").glob(f"{row[0]}-*-{of}" if of else f"{row[0]}-*")
        return max(home for home in homes if home.name.count("-") == (2 if of else 1))

    def _spawner_of(self, name: str, of: str) -> tuple[int, str] | None:
        """The number of a person, and the state of their server, as the hub has written it."""
        with contextlib.closing(sqlite3.connect(self.state / "jupyterhub.sqlite")) as db:
            return db.execute(
                """SELECT users.id, spawners.state FROM spawners JOIN users ON users.id = user_id
                WHERE users.name = ? AND spawners.name = ?""",
                (name, of),
            ).fetchone()

    def send(self, number: signal.Signals) -> None:
        """Send the hub itself a signal, and wait until it has ended."""
        assert self.process is not None
        self.processes()
        self.process.send_signal(number)
        self.process.wait(STOP_SECONDS)

    def stop(self) -> None:
        """End the hub as Ctrl-C does.

        Raises:
            AssertionError: a process of it is left.
        """
        if self.process is None:
            return
        try:
            if self.process.poll() is None:
                self.send(signal.SIGINT)
            wait_until(lambda: not self.processes(), "the end of every process", seconds=30)
        except BaseException as error:
            error.add_note(f"left: {[_name(process) for process in self.processes()]}")
            error.add_note(self.log_tail())
            raise
        finally:
            self.kill()

    def kill(self) -> None:
        """Kill what is left of this hub, and only that."""
        left = self.processes()
        for process in left:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(left, timeout=STOP_SECONDS)
        self.process = None
        self._processes.clear()


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _name(process: psutil.Process) -> str:
    try:
        return f"{process.pid} {' '.join(process.cmdline()[:4])}"
    except psutil.Error:
        return str(process.pid)


def start_hub(folder: Path, running: list[Hub], **environment: str) -> Hub:
    """Start one more hub below `folder` and note it in `running`; one that stops no idle servers,
    which is a process less in each."""
    home = folder / f"hub-{len(running)}"
    home.mkdir()
    hub = Hub(home, **{"ATRIUM_IDLE_MINUTES": "0", **environment})
    running.append(hub)
    return hub.start()


def stop_all(hubs: Sequence[Hub]) -> None:
    """Stop every hub, the others too when one fails to stop cleanly."""
    errors = []
    for hub in hubs:
        try:
            hub.stop()
        except Exception as error:
            errors.append(error)
    if errors:
        raise ExceptionGroup("hubs that did not stop cleanly", errors)
