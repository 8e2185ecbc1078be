"""The stand-in answers this machine only, through a reverse proxy too."""

from __future__ import annotations

import http.client
from urllib.parse import urlencode

import pytest

from tests.hub import free_port
from tests.local_descope.conftest import StartStandIn
from tests.local_descope.stand_in import PROJECT, StandIn

pytestmark = pytest.mark.long

FOREIGN = [
    {"Host": "atrium.example"},
    {"Host": "127.0.0.1"},
    {"Host": "127.0.0.1.nip.example:{port}"},
    {"X-Forwarded-For": "203.0.113.5"},
    {"X-Forwarded-For": "127.0.0.1, 203.0.113.5"},
    {"X-Forwarded-For": "203.0.113.5, 127.0.0.1"},
    {"X-Forwarded-For": "unknown"},
    {"X-Forwarded-For": "10.0.0.1:80"},
    {"X-Forwarded-For": "[2001:db8::1]:80"},
    {"X-Forwarded-For": "::ffff:203.0.113.5"},
    {"X-Real-IP": "203.0.113.5"},
    {"CF-Connecting-IP": "203.0.113.5"},
    {"Forwarded": "for=203.0.113.5"},
    {"Forwarded": 'for=127.0.0.1, for="[2001:db8::1]:4711"'},
    {"Forwarded": "for=127.0.0.1;host=atrium.example"},
    {"X-Forwarded-Host": "atrium.example"},
    {"X-Forwarded-Host": "127.0.0.1:{port}, atrium.example"},
    {"Origin": "https://atrium.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
]
OWN = [
    {},
    {"Host": "LOCALHOST:{port}"},
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Forwarded-For": "::ffff:127.0.0.1, ::1"},
    {"X-Forwarded-For": "127.0.0.1:40000", "X-Real-IP": "127.0.0.1"},
    {"Forwarded": 'for="[::1]:80";host="localhost:{port}";proto=http'},
    {"X-Forwarded-Host": "localhost:{port}"},
    {"Origin": "http://localhost:{port}"},
]


@pytest.fixture(scope="module")
def behind_a_name(start_stand_in: StartStandIn) -> StandIn:
    """A stand-in whose public host is another name of this machine than where it listens."""
    port = free_port()
    url = f"http://localhost:{port}/services/descope"
    return start_stand_in(port=port, LOCAL_DESCOPE_URL=url)


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_from_elsewhere_is_refused(stand_in: StandIn, headers: dict[str, str]) -> None:
    for path in (f"/{PROJECT}/.well-known/openid-configuration", "/outbox", "/assets/live.js"):
        status, text = ask(stand_in, path, headers)
        assert status == 403
        assert text.strip().count("\n") == 0
        assert "only on the machine" in text


@pytest.mark.parametrize("headers", OWN, ids=str)
def test_from_here_is_answered(behind_a_name: StandIn, headers: dict[str, str]) -> None:
    assert ask(behind_a_name, "/outbox", headers)[0] == 200


def test_a_name_below_localhost_signs_in_too(start_stand_in: StartStandIn) -> None:
    port = free_port()
    url = f"http://hub.localhost:{port}/services/descope"
    callback = f"http://hub.localhost:{port}/hub/oauth_callback"
    stand_in = start_stand_in(port=port, LOCAL_DESCOPE_URL=url, LOCAL_DESCOPE_REDIRECTS=callback)
    asked = {"response_type": "code", "client_id": PROJECT, "redirect_uri": callback}
    asked |= {"scope": "openid", "state": "s", "code_challenge": "x" * 43}
    query = urlencode(asked | {"code_challenge_method": "S256"})
    headers = {"Host": "hub.localhost:{port}"}
    assert ask(stand_in, f"/oauth2/v1/authorize?{query}", headers)[0] == 303


def ask(stand_in: StandIn, path: str, headers: dict[str, str]) -> tuple[int, str]:
    """A request with just these headers; Host is the stand-in's own where none is given."""
    sent = {name: value.format(port=stand_in.port) for name, value in headers.items()}
    connection = http.client.HTTPConnection("127.0.0.1", stand_in.port, timeout=10)
    connection.request("GET", f"/services/descope{path}", headers=sent)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text
