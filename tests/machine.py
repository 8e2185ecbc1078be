"""A hub under another account than the tests', or with accounts to give, on the tests' own machine.

A Python below a home that is its owner's alone (`/root/.pyenv` …) cannot be run by other accounts.
So the hub starts in a mount namespace of its own, in which an open folder lies over that home and
holds Python and nothing else.
"""

from __future__ import annotations

import functools
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.hub import Hub
from tests.ranges import UNIX_UIDS

#: Covers the folder $1 with an empty one that others may enter, but for what is at $2.
_COVER = """
set -e
kept=$(mktemp -d)
mount --bind "$2" "$kept"
mount -t tmpfs -o mode=755 none "$1"
mkdir -p "$2"
mount --bind "$kept" "$2"
umount "$kept"
rmdir "$kept"
shift 2
exec "$@"
"""
#: Whom a hub runs as that is not root's.
HUB_UID = 64100
#: Ids for hubs to give, no two the same, whichever of pytest's processes asks.
_ranges = (f"{first}-{first + 499}" for first in UNIX_UIDS[::500])


@functools.cache
def entered() -> tuple[str, ...]:
    """What goes before a command so that every account can run our Python in it."""
    python = Path(sys.base_prefix).resolve()
    closed = [one for one in reversed(python.parents) if not one.stat().st_mode & stat.S_IXOTH]
    if not closed:
        return ()
    return ("unshare", "--mount", "sh", "-c", _COVER, "sh", str(closed[0]), str(python))


def why_not() -> str:
    """Why this machine cannot run hubs under several accounts, "" if it can."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "needs root on Linux"
    if not shutil.which("setpriv"):
        return "needs setpriv"
    command = [*entered(), *as_uid(HUB_UID), sys.executable, "-I", "-c", "import jupyterhub"]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
    return f"other accounts cannot run Python here: {done.stderr[-200:]}" * bool(done.returncode)


def as_uid(uid: int) -> tuple[str, ...]:
    """What goes before a command so that it runs under that account."""
    return ("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--")


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that every account can reach, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="atrium-test-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def hub_of(uid: int, **environment: str) -> Iterator[Hub]:
    """A hub that will run as `uid`, to be started.

    Root's has Unix ids of its own to give: others run meanwhile, and a hub ends what has its ids.
    """
    environment.setdefault("ATRIUM_UNIX_UIDS", next(_ranges))
    with open_folder() as folder:
        hub = Hub(folder, **environment)
        hub.before = [*entered(), *as_uid(uid)]
        for path in (folder, *folder.rglob("*")):
            os.chown(path, uid, uid)
        try:
            yield hub
        finally:
            hub.stop()


def server(hub: Hub, name: str, of: str = "") -> psutil.Process:
    """The process of one of somebody's servers, which runs; the default one, or the named one."""
    process = hub.server_of(name, of)
    assert process is not None, f"no server {of!r} of {name}"
    return process
