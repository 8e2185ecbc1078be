"""The stand-in tells an application of each of its sessions that ends, and waits for nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.hub import free_port, wait_until
from tests.local_descope.conftest import StartStandIn
from tests.local_descope.stand_in import Browser, Client, StandIn

EVENT = "http://schemas.openid.net/event/backchannel-logout"
MEMBER = "member@acme.test"


@contextmanager
def listener(
    status: int = 200, answers: Event | None = None, **headers: str
) -> Iterator[tuple[str, list[str]]]:
    """An application's address, and the tokens that came there. `answers`: when it does so."""
    tokens: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            tokens.append(parse_qs(body)["logout_token"][0])
            if answers:
                answers.wait(60)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/logout", tokens
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def revokes(stand_in: StandIn, browser: Browser, client: Client, tokens: dict[str, Any]) -> None:
    endpoint = client.metadata["revocation_endpoint"]
    client.session.revoke_token(endpoint, tokens["refresh_token"]).raise_for_status()


Ends = Callable[[StandIn, Browser, Client, dict[str, Any]], object]
EVENTS: dict[str, Ends] = {
    "refresh token revoked": revokes,
    "logged out by the SDK": lambda s, _b, _c, t: s.project.client.logout(t["refresh_token"]),
    "logged out by an admin": lambda s, _b, _c, _t: s.project.mgmt.user.logout_user(MEMBER),
    "disabled": lambda s, _b, _c, _t: s.project.mgmt.user.deactivate(MEMBER),
    "deleted": lambda s, _b, _c, _t: s.project.mgmt.user.delete(MEMBER),
}


@pytest.mark.long
@pytest.mark.parametrize("event", EVENTS)
def test_each_end_of_a_session_is_told(event: str, start_stand_in: StartStandIn) -> None:
    with listener() as (address, received):
        stand_in = start_stand_in(LOCAL_DESCOPE_LOGOUT_URL=address)
        with Browser(stand_in) as browser:
            client = Client(stand_in)
            tokens = client.finish(browser.sign_in(client, MEMBER))
            signed_in = client.claims(tokens)
            EVENTS[event](stand_in, browser, client, tokens)
            wait_until(lambda: received, "a logout token")
            told = client.claims({"id_token": received[0]})
            client.session.close()
    assert (told["sub"], told["sid"]) == (signed_in["sub"], signed_in["sid"])
    assert (told["iss"], told["aud"]) == (signed_in["iss"], signed_in["aud"])
    assert told["events"] == {EVENT: {}}
    assert told["jti"]
    assert "nonce" not in told
    assert client.metadata["backchannel_logout_supported"] is True
    assert len(received) == 1


@pytest.mark.long
def test_an_application_that_is_away_is_told_of_in_the_log(start_stand_in: StartStandIn) -> None:
    stand_in = start_stand_in(LOCAL_DESCOPE_LOGOUT_URL=f"http://127.0.0.1:{free_port()}/")
    with Browser(stand_in) as browser:
        client = Client(stand_in)
        client.finish(browser.sign_in(client, MEMBER))
        stand_in.project.mgmt.user.logout_user(MEMBER)
        wait_until(lambda: "was not told of a sign-out" in stand_in.log, "the line in the log")
        client.session.close()


@pytest.mark.long
def test_an_application_that_answers_nothing_holds_nothing_up(start_stand_in: StartStandIn) -> None:
    answers = Event()
    with listener(answers=answers) as (address, received):
        stand_in = start_stand_in(LOCAL_DESCOPE_LOGOUT_URL=address)
        with Browser(stand_in) as browser:
            client = Client(stand_in)
            client.finish(browser.sign_in(client, MEMBER))
            stand_in.project.mgmt.user.logout_user(MEMBER)
            assert "was not told of a sign-out" not in stand_in.log
            wait_until(lambda: received, "a logout token")
            answers.set()
            client.session.close()


@pytest.mark.long
def test_no_redirect_is_followed_with_a_token(start_stand_in: StartStandIn) -> None:
    with (
        listener() as (elsewhere, stolen),
        listener(307, Location=elsewhere) as (address, received),
    ):
        stand_in = start_stand_in(LOCAL_DESCOPE_LOGOUT_URL=address)
        with Browser(stand_in) as browser:
            for number in range(1, 3):
                client = Client(stand_in)
                client.finish(browser.sign_in(client, MEMBER))
                stand_in.project.mgmt.user.logout_user(MEMBER)
                wait_until(lambda count=number: len(received) >= count, "a logout token")
                client.session.close()
    assert stolen == []
