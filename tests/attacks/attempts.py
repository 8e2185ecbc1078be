"""What a hostile notebook tries. Lies beside it in its folder; uses nothing of the tests.

Each attempt returns what it has got hold of, or raises what kept it out. Only what is plainly a
refusal counts as one: an attempt that is broken must not look like a guard that holds.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

T: dict[str, Any] = json.loads((Path(__file__).parent / "targets.json").read_text())
LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_ATTACH, PTRACE_DETACH = 16, 17
ATTEMPTS: dict[str, Callable[[], object]] = {}


class Refused(Exception):
    """The attempt came to nothing."""


def attempt(function: Callable[[], object]) -> Callable[[], object]:
    ATTEMPTS[function.__name__] = function
    return function


def run() -> None:
    """Try everything; the outcomes lie in the server's home."""
    outcomes = {name: outcome(function) for name, function in ATTEMPTS.items()}
    Path(os.environ["HOME"], "outcomes.json").write_text(json.dumps(outcomes))


def outcome(function: Callable[[], object]) -> str:
    try:
        return f"got {str(function())[:200]}"
    except (PermissionError, Refused) as error:
        return f"refused: {error}"
    except urllib.error.HTTPError as error:
        return f"{'refused' if error.code in {403, 404} else 'error'}: {error.code}"
    except Exception as error:
        return f"error: {error!r}"


def done(result: int) -> int:
    """The result of a function of the C library; raises what it says went wrong."""
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


# -- the hub, with the token of this very server, had a notebook got hold of it ----------------


def hub(method: str, path: str, body: object = None) -> str:
    url = path if path.startswith("http") else f"{T['api_url']}{path.format(**T)}"
    request = urllib.request.Request(
        url,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"token {T['token']}"},
    )
    answer = urllib.request.urlopen(request, timeout=10)
    return f"{answer.status} {answer.read(100)!r}"


def attempt_at_hub(name: str, method: str, path: str, body: object = None) -> None:
    ATTEMPTS[name] = lambda: hub(method, path, body)


attempt_at_hub("make_a_group", "POST", "/groups/taken", {})
attempt_at_hub("join_admin", "POST", "/groups/admin/users", {"users": [T["me"]]})
attempt_at_hub("become_full_admin", "PATCH", "/users/{me}", {"admin": True})
attempt_at_hub("make_a_token", "POST", "/users/{me}/tokens", {})
attempt_at_hub("remove_somebody", "DELETE", "/users/{victim}")
attempt_at_hub("start_as_somebody", "POST", "/users/{victim}/server")
attempt_at_hub("list_people", "GET", "/users")
attempt_at_hub("list_groups", "GET", "/groups")
attempt_at_hub("read_memory_of_servers", "GET", "/memory")
attempt_at_hub("read_admin_cards", "GET", "/admin-dashboards")


@attempt
def know_own_name() -> str:
    """What it may do; the other answers mean nothing without this one."""
    return hub("GET", "/user")


@attempt
def open_somebodys_server() -> str:
    page = hub("GET", T["victim_url"])
    if "Log" in page or "Sign" in page or "e-mail" in page:
        raise Refused(page)
    return page


# -- files ------------------------------------------------------------------------------------


def attempt_at_file(name: str, path: str) -> None:
    ATTEMPTS[name] = lambda: Path(T[path]).read_bytes()[:20]


attempt_at_file("read_the_database", "database")
attempt_at_file("read_a_secret", "secret")
attempt_at_file("read_the_providers_store", "providers_store")
attempt_at_file("read_another_home", "file_in_home")
attempt_at_file("read_another_folder", "file_of_finance")
attempt_at_file("read_the_admin_folder", "file_of_admin")
attempt_at_file("read_environment_of_hub", "environment_of_hub")
attempt_at_file("read_environment_of_init", "environment_of_init")
attempt_at_file("read_environment_of_sibling", "environment_of_sibling")
attempt_at_file("read_shadow", "shadow")


@attempt
def list_the_state_folder() -> list[str]:
    return os.listdir(T["state"])


@attempt
def write_beside_itself() -> str:
    Path(__file__).with_name("planted.ipynb").write_text("{}")
    return "written"


@attempt
def change_itself() -> str:
    with Path(__file__).with_name("attack.ipynb").open("a") as file:
        file.write(" ")
    return "written"


@attempt
def write_a_folder() -> str:
    (Path(__file__).parents[1] / "planted").mkdir()
    return "made"


@attempt
def open_its_folder_to_all() -> str:
    Path(__file__).parent.chmod(0o777)
    return "opened"


@attempt
def read_its_own_files() -> str:
    """What it may do."""
    Path(os.environ["HOME"], "note").write_text("mine")
    return Path(os.environ["HOME"], "note").read_text() + Path(__file__).read_text()[:10]


@attempt
def find_a_secret_in_its_environment() -> str:
    names = [n for n in os.environ if "SECRET" in n or "TOKEN" in n or n.startswith("DESCOPE")]
    if not names:
        raise Refused("none")
    return str(names)


# -- other processes --------------------------------------------------------------------------


def open_memory(pid: int) -> str:
    with open(f"/proc/{pid}/mem", "rb"):
        return "opened"


def trace(pid: int) -> str:
    done(LIBC.ptrace(PTRACE_ATTACH, pid, 0, 0))
    os.waitpid(pid, 0)
    done(LIBC.ptrace(PTRACE_DETACH, pid, 0, 0))
    return "traced"


def copy_memory(pid: int) -> str:
    """process_vm_readv(2) asks for the right first, and for a good address then."""
    buffer = ctypes.create_string_buffer(8)
    here = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 8)
    try:
        done(LIBC.process_vm_readv(pid, here, 1, here, 1, 0))
    except OSError as error:
        if error.errno != errno.EFAULT:
            raise
    return "may copy"


for _victim in ("sibling", "admin_server", "unhidden"):
    for _attack in (open_memory, trace, copy_memory):
        ATTEMPTS[f"{_attack.__name__}_of_{_victim}"] = partial(_attack, T[_victim])


def attempt_to_end(name: str, victim: str) -> None:
    """Signal 0 asks for the right and does no harm."""
    ATTEMPTS[name] = lambda: os.kill(T[victim], 0)


attempt_to_end("end_the_hub", "hub")
attempt_to_end("end_the_proxy", "proxy")
attempt_to_end("end_sibling", "sibling")
attempt_to_end("end_init", "init")


# -- more rights, and more of the machine -----------------------------------------------------


@attempt
def become_root() -> str:
    os.setuid(0)
    return "root"


@attempt
def become_somebody_else() -> str:
    os.setresuid(*[T["another_id"]] * 3)
    return "somebody else"


@attempt
def join_another_group() -> str:
    os.setgroups([T["another_id"]])
    return "joined"


@attempt
def take_roots_shell() -> str:
    """`su` asks for root's password; nobody has one here."""
    ran = subprocess.run(
        ["su", "-c", "id -u"], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    if ran.returncode:
        raise Refused(ran.stderr)
    return ran.stdout


@attempt
def run_something_setuid() -> str:
    """A copy of `id` that belongs to root and is setuid."""
    ran = subprocess.run([T["setuid_id"], "-u"], capture_output=True, text=True, check=True)
    if ran.stdout.strip() != "0":
        raise Refused(ran.stdout)
    return ran.stdout


@attempt
def mount_something() -> str:
    done(LIBC.mount(b"none", os.environ["HOME"].encode(), b"tmpfs", 0, None))
    return "mounted"


@attempt
def dump_core() -> str:
    most = resource.getrlimit(resource.RLIMIT_CORE)[1]
    if most == 0:
        raise Refused("no core")
    return str(most)


@attempt
def raise_a_limit() -> str:
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
    except ValueError as error:
        raise Refused(error) from None
    return "raised"


@attempt
def start_600_processes() -> str:
    started = []
    try:
        for _ in range(600):
            started.append(subprocess.Popen(["sleep", "60"]))
    except BlockingIOError as error:
        raise Refused(f"{len(started)} processes: {error}") from None
    finally:
        for process in started:
            process.send_signal(signal.SIGKILL)
        for process in started:
            process.wait()
    return str(len(started))


@attempt
def take_memory() -> str:
    try:
        return str(len(bytearray(6 * 1024**3)))  # zeroes that are never touched: not resident
    except MemoryError:
        raise Refused("no memory") from None


@attempt
def fill_the_disk() -> str:
    """A file with a hole; it takes no room."""
    path = Path(os.environ["HOME"], "large")
    try:
        with path.open("wb") as file:
            file.truncate(5 * 1024**3)
    except OSError as error:
        raise Refused(error.strerror) from None
    finally:
        path.unlink(missing_ok=True)
    return "5 GiB"
