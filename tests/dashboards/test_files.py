"""The service with everybody's scripts and styles, in a process of its own."""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from dashboards.files import _is_of, bokeh_static, usual_scripts
from tests.hub import free_port, wait_until

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the service says."""
    return tmp_path_factory.mktemp("files") / "log"


@pytest.fixture(scope="module")
def files(log: Path) -> Iterator[str]:
    """The address of a running service, ending in a slash."""
    address = f"http://127.0.0.1:{free_port()}"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-I", "-m", "dashboards.file_server"],
            env={
                "JUPYTERHUB_SERVICE_URL": address,
                "JUPYTERHUB_SERVICE_PREFIX": "/services/files/",
            },
            cwd=log.parent,
            stdout=said,
            stderr=said,
        )
    try:
        wait_until(lambda: _answers(address), "the service")
        yield f"{address}/services/files/"
    finally:
        process.terminate()
        assert process.wait(10) == 0


def _answers(address: str) -> bool:
    try:
        return bool(requests.get(address, timeout=5).status_code)
    except OSError:
        return False


def test_usual_scripts_come_compressed_and_may_be_kept_for_good(files: str) -> None:
    for script in usual_scripts():
        answer = requests.get(files + script, timeout=5)
        assert answer.headers["Content-Encoding"] == "gzip"
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["Content-Type"].endswith("javascript")
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert int(answer.headers["Content-Length"]) < len(answer.content) / 2
    bokeh = Path(bokeh_static(), "js", "bokeh.min.js")
    script = files + usual_scripts()[0]
    assert requests.get(script, timeout=5).content == bokeh.read_bytes()
    plain = requests.get(script, headers={"Accept-Encoding": "identity"}, timeout=5)
    assert "Content-Encoding" not in plain.headers
    assert plain.content == bokeh.read_bytes()


def test_pages_of_other_origins_may_use_them_and_nothing_is_said_of_a_person(files: str) -> None:
    for path in (usual_scripts()[0], "static/extensions/panel/css/loading.css"):
        answer = requests.get(files + path, timeout=5)
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in answer.headers


def test_a_browser_that_leaves_is_no_failure(files: str, log: Path) -> None:
    place = urlsplit(files)
    asked = (
        f"GET {place.path}{usual_scripts()[0]} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n"
    )
    for _ in range(20):
        with socket.create_connection((place.hostname, place.port)) as browser:
            browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            browser.sendall(asked.encode() * 4)
            browser.recv(1)  # the answer is under way; now it leaves
    assert requests.get(files + usual_scripts()[0], timeout=5).ok
    assert "Uncaught" not in log.read_text()


def test_a_known_file_is_not_sent_again(files: str) -> None:
    script = files + usual_scripts()[0]
    tag = requests.get(script, timeout=5).headers["Etag"]
    again = requests.get(script, headers={"If-None-Match": tag}, timeout=5)
    assert (again.status_code, again.content) == (304, b"")
    head = requests.head(script, timeout=5)
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize("path", ["", "static/", "static/js/", "static/js/none.js?v=1", "user/x/"])
def test_what_is_no_file_is_not_there(files: str, path: str) -> None:
    assert requests.get(files + path, timeout=5).status_code in {403, 404}
    assert os.environ.get("HOME", "/root") not in requests.get(files + path, timeout=5).text


def test_a_page_before_has_the_browser_fetch_them(files: str) -> None:
    script = requests.get(f"{files}ahead.js", timeout=5)
    assert script.headers["Content-Type"] == "text/javascript"
    names = json.loads(re.search(r"\[.*?\]", script.text)[0])  # type: ignore[index]
    assert set(usual_scripts()) < set(names)
    for name in names:
        assert requests.get(files + name, timeout=5).ok


def test_the_frame_with_a_sample_can_do_nothing_but_draw(files: str) -> None:
    page = requests.get(f"{files}ahead.html", timeout=5)
    assert page.headers["Content-Type"].startswith("text/html")
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "connect-src" not in policy
    names = re.findall(r'<script src="([^"]+)">', page.text)
    assert tuple(names[:-1]) == usual_scripts()
    for name in names:
        assert requests.get(files + name, timeout=5).ok


@pytest.mark.parametrize(
    ("package", "folder", "is_of"),
    [
        ("panel", "panel/dist", True),
        ("panel", "panel/../bokeh", False),
        ("panel", "/etc", False),
        ("panel", "/proc/self", False),
        ("no_such_package", "panel/dist", False),
    ],
)
def test_a_dashboard_names_no_folder_outside_its_package(
    package: str, folder: str, is_of: bool
) -> None:
    site_packages = Path(bokeh_static()).parents[2]
    assert _is_of(package, os.fspath(site_packages / folder)) == is_of
