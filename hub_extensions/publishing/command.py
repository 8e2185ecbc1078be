"""`atrium publish`: publish a notebook from any machine, by the hub's API."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import requests
from jinja2.filters import do_filesizeformat

from ..command_line import CommandError, say
from ..settings import is_loopback
from . import data_files
from .changes import MOST_CHANGES
from .checks import LARGEST_SENT
from .data_files import NoDataFile
from .reading import TOO_LARGE

_API: Final = "/hub/api"
_TIMEOUT: Final = 60
_REFUSED: Final = 1


def add_to(parts: Any) -> None:
    """Add the part `publish` to the command's."""
    publish = parts.add_parser(
        "publish",
        help="publish a notebook as a dashboard",
        description="Checks a notebook and publishes it. The token of a person (ATRIUM_TOKEN) is"
        " made on the hub's page /hub/token. Exit status: 0 if it is published, 1 if it is refused,"
        " 2 if the hub cannot be asked.",
    )
    publish.add_argument("notebook", metavar="NOTEBOOK", type=Path, help="the .ipynb file")
    publish.add_argument("--to", metavar="FOLDER", required=True, help="whose group is to see it")
    publish.add_argument(
        "--with",
        dest="beside",
        metavar="FILE",
        action="append",
        default=[],
        type=Path,
        help="a data file in the notebook's folder, or below it, that comes with it; may be said"
        f" again. {data_files.LARGEST // 1024**2} MB each, {data_files.IN_ALL // 1024**2} MB and"
        f" {data_files.MOST} files in all",
    )
    publish.add_argument("--name", help="what it is called there; else as the file")
    publish.add_argument("--note", default="", help="what is new, for its versions")
    publish.add_argument(
        "--url",
        default=os.environ.get("ATRIUM_URL") or os.environ.get("JUPYTERHUB_API_URL", ""),
        help="the hub's address; else ATRIUM_URL",
    )
    publish.add_argument(
        "--force",
        action="store_true",
        help="also if it was not tried to its end, what looks like a secret is none, or somebody"
        " has published it meanwhile",
    )
    publish.set_defaults(run=_publish, is_far=True)


def _publish(given: argparse.Namespace) -> int:
    notebook = _read(given.notebook)
    data = _read_data(given.notebook, given.beside)
    hub = _Hub(given.url)
    try:
        targets = {target["folder"]: target for target in hub.ask("GET", "")["folders"]}
        name = given.name or given.notebook.name.removesuffix(".ipynb")
        place = {"folder": given.to, "name": name}
        check = _wait(hub, _hand_in(hub, place, notebook, data))
        people = targets.get(given.to, {}).get("people", 0)
        for line in _lines(check, people):
            say(line)
        if check["refusal"]:
            raise _Refused(check["refusal"])
        done = _send(hub, check, given)
    except _Refused as refused:
        say(f"atrium: not published. {refused}", error=True)
        return _REFUSED
    say(f"Published: {done['url']}")
    return 0


def _read(file: Path) -> bytes:
    with _readable(file):
        if file.stat().st_size > LARGEST_SENT:
            raise CommandError(TOO_LARGE)
        return file.read_bytes()


@contextlib.contextmanager
def _readable(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CommandError(f"{file} cannot be read ({error.strerror})") from None


def _read_data(notebook: Path, paths: Iterable[Path]) -> dict[str, bytes]:
    """Data files by their paths below the notebook's folder. Raises CommandError."""
    found: dict[str, bytes] = {}
    try:
        for path in paths:
            name = _name_below(notebook.parent, path)
            data_files.check_name(name)
            with _readable(path):
                data_files.check_sizes({name: path.stat().st_size})
                found[name] = path.read_bytes()
        data_files.check_sizes({name: len(content) for name, content in found.items()})
        data_files.check_together(found)
    except NoDataFile as error:
        raise CommandError(str(error)) from None
    return found


def _name_below(folder: Path, path: Path) -> str:
    whole, folder = Path(os.path.abspath(path)), Path(os.path.abspath(folder))
    if not whole.is_relative_to(folder):
        raise CommandError(f"{path} is not in the notebook's folder, nor below it")
    name = whole.relative_to(folder)
    if any((folder / part).is_symlink() for part in (name, *name.parents[:-1])):
        raise CommandError(f"{path} is a link, or lies behind one; give the file itself")
    if not whole.is_file():
        raise CommandError(f"{path} is no file")
    return name.as_posix()


def _hand_in(
    hub: _Hub, place: dict[str, str], notebook: bytes, data: Mapping[str, bytes]
) -> dict[str, Any]:
    """A check that runs."""
    if not data:
        return hub.ask("POST", "/checks", params=place, data=notebook)
    check = hub.ask("POST", "/checks", params={"name": place["name"]}, data=notebook)
    path = f"/checks/{quote(check['id'])}"
    for name, content in data.items():
        hub.ask("PUT", f"{path}/files", params={"name": name}, data=content)
    return hub.ask("PUT", path, json=place)


def _wait(hub: _Hub, check: dict[str, Any]) -> dict[str, Any]:
    began, path = time.monotonic(), f"/checks/{quote(check['id'])}"
    while check["state"] == "running":
        if sys.stderr.isatty():
            print(f"\rIt is tried … {time.monotonic() - began:.0f} s", end="", file=sys.stderr)
        check = hub.ask("GET", path, params={"wait": "1" if sys.stderr.isatty() else "20"})
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    return check


def _lines(check: dict[str, Any], people: int) -> list[str]:
    """What is known of a notebook, for its author."""
    place = f"{check['folder']}/{check['name']}"
    lines = [f"{place} is seen by {people} {'person' if people == 1 else 'people'}."]
    if check["is_new"]:
        lines.append(f"It is new, with {_count(check['cells'], 'cell')}.")
    else:
        cells = _count(len(check["changes"]), "cell", MOST_CHANGES)
        lines.append(f"It replaces what is there; {cells} changed.")
    lines += [_data_line(one) for one in check["data"]]
    if check["outputs"]:
        lines.append(f"Left out: {_count(check['outputs'], 'output')}.")
    for secret in check["secrets"]:
        where = f"in {secret['file'] or 'cell {cell}'.format(**secret)}, line {secret['line']}"
        lines.append(f"This looks like a secret: {secret['what']} {where}.")
    trial = check["trial"] or {"problem": "", "traceback": "", "needs_viewer": False, "seconds": 0}
    if trial["problem"]:
        lines.append(f"It was tried: {trial['problem']}")
        lines.append(trial["traceback"].rstrip())
    elif trial["needs_viewer"]:
        lines.append("It asks who looks at it: it was tried as far as it came without anybody.")
    elif trial["seconds"]:
        memory = f", with {trial['memory'] / 1e6:.0f} MB of memory" if trial["memory"] else ""
        lines.append(f"It runs: its first view came after {trial['seconds']:.1f} s{memory}.")
    return [line for line in lines if line]


def _data_line(data: dict[str, Any]) -> str:
    before, after = do_filesizeformat(data["before"]), do_filesizeformat(data["after"])
    size = f"from {before} to {after}" if data["kind"] == "changed" else after
    return f"Data file {data['name']}: {data['kind']}, {size}."


def _count(number: int, of: str, most: int | None = None) -> str:
    """So many of something; of `most` no more are known."""
    return f"{number}{' or more' if number == most else ''} {of}{'' if number == 1 else 's'}"


def _send(hub: _Hub, check: dict[str, Any], given: argparse.Namespace) -> dict[str, Any]:
    path = f"/checks/{quote(check['id'])}/publish"
    body = {"note": given.note, "anyway": given.force, "not_secret": given.force}
    try:
        return hub.ask("POST", path, json=body)
    except _Refused as refused:
        if not (given.force and refused.present):
            raise
        return hub.ask("POST", path, json=body | {"replaces": refused.present})


class _Refused(Exception):
    """The hub says no, with a sentence. `present`: what is there instead of what was, if so."""

    def __init__(self, sentence: str, present: str = "") -> None:
        super().__init__(sentence)
        self.present = present


class _Hub:
    """A hub's API, asked with a person's token, which no message shows."""

    def __init__(self, url: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise CommandError("say where the hub is: --url https://…, or ATRIUM_URL")
        if url.startswith("http:") and not is_loopback(url):
            raise CommandError("a token is sent by https only; give the hub's https address")
        address = url.rstrip("/").removesuffix(_API)
        self._url = f"{address}{_API}/publishing"
        token = os.environ.get("ATRIUM_TOKEN")  # a lab's own hands notebooks in, and does no more
        if not token:
            page = f"{os.environ.get('ATRIUM_ADDRESS', '').rstrip('/') or address}/hub/token"
            raise CommandError(f"set ATRIUM_TOKEN to a token of yours; make one on {page}")
        self._headers = {"Authorization": f"token {token}"}

    def ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """The hub's answer.

        Raises:
            CommandError: it does not answer, or knows nobody by this token.
            _Refused: it says no.
        """
        try:
            answer = requests.request(
                method,
                self._url + path,
                headers=self._headers,
                timeout=_TIMEOUT,
                allow_redirects=False,  # the token is for this address
                **options,
            )
            said = answer.json()
        except (requests.RequestException, ValueError):
            raise self._no_hub() from None
        if not isinstance(said, dict):
            raise self._no_hub()
        if answer.ok:
            return said
        sentence = str(said.get("message", ""))
        if answer.status_code in {401, 403} and " " not in sentence:  # JupyterHub's own
            raise CommandError(
                "the hub does not take this token; make another on its page /hub/token"
            )
        raise _Refused(sentence, str(said.get("present") or ""))

    def _no_hub(self) -> CommandError:
        return CommandError(f"no hub answers at {self._url.removesuffix('/publishing')}")
