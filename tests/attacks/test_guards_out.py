"""With a guard taken out its attack succeeds: so it is that guard which stops it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin

import pytest
import requests
from tornado.httpserver import _HTTPRequestContext
from tornado.httputil import HTTPHeaders
from websockets.exceptions import ConnectionClosed, InvalidStatus

from hub_extensions import claims
from hub_extensions.settings import LOCAL_PROJECT_ID
from hub_extensions.signing_in import back_channel
from hub_extensions.signing_in.back_channel import Logout, UsedTokens, ends
from hub_extensions.signing_in.rate_limit import client_address
from tests.attacks import attack, guard_out
from tests.attacks.addresses import From
from tests.attacks.companies import Town
from tests.attacks.test_rate_limits import wrong_sign_in
from tests.attacks.test_sign_in_forgery import copy_of
from tests.attacks.test_sockets import MINE, load, parts_of
from tests.dashboards.notebooks import code, markdown, write_notebook
from tests.hub import Hub, wait_until
from tests.integration.test_groups import ask as hub_ask
from tests.integration.test_sign_in import callback_of
from tests.person import Person, closed_with
from tests.requests_page import add_person, ask, give, ids, take
from tests.unit.test_back_channel import check, token

ADMIN, MEMBER, ANALYST = "admin@acme.test", "member@acme.test", "analyst@acme.test"
ANOTHER_KEY = MINE["signed by another key"]
SPOOFED = HTTPHeaders({"X-Forwarded-For": "203.0.113.5", "X-Real-Ip": "198.51.100.1"})


@guard_out("the address is what the proxy saw")
def test_tornados_own_address_is_what_the_client_claims() -> None:
    class NoSocket:
        socket = None

    context: Any = _HTTPRequestContext(NoSocket(), ("127.0.0.1", 1), "http")  # type: ignore[arg-type]
    context._apply_xheaders(SPOOFED)
    assert context.remote_ip == "198.51.100.1"
    assert client_address(SPOOFED, ()) == "203.0.113.5"


@guard_out("a logout token works once")
def test_without_a_memory_a_logout_token_works_again(monkeypatch: pytest.MonkeyPatch) -> None:
    logout = Logout(id="j", issued_at=time.time(), subject="U1", session="")
    monkeypatch.setattr(back_channel, "_FRESH", -10_000)  # what was used is forgotten at once
    used = UsedTokens()
    used.spend(logout)
    used.spend(logout)


@guard_out("check of a logout token")
def test_without_freshness_an_old_logout_token_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    old = token(iat=int(time.time()) - 3600)
    with pytest.raises(ValueError, match="time of issue"):
        check(old)
    monkeypatch.setattr(back_channel, "_FRESH", 10_000)
    assert check(old).subject == "U1"


@guard_out("a logout is of sign-ins before it")
def test_without_the_time_of_the_sign_in_a_late_logout_ends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late, held = Logout(id="j", issued_at=100, subject="U1", session=""), {"iat": 101}
    assert not ends(late, held)
    monkeypatch.setattr(back_channel, "number", lambda _: 0.0)  # when it began is not looked at
    assert ends(late, held)


@guard_out("grammar of addresses")
@pytest.mark.parametrize("address", ["ada%40acme.test@acme.test", "ada/x@acme.test", "a@b.test."])
def test_without_the_grammar_a_look_alike_signs_in(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"email": address, "email_verified": True}
    with pytest.raises(claims.RefusedClaims):
        claims.username_from_claims(told)
    monkeypatch.setattr(claims, "_ADDRESS", re.compile(".+"))
    assert claims.username_from_claims(told) == address


# -- with a hub and a dashboard server that have no guards ---------------------------------------


def signed_in(hub: Hub, name: str) -> Person:
    return Person.signed_in(hub, name)


def header_of(person: Person, name: str) -> dict[str, str]:
    """A token of somebody's own, made by hand."""
    made = person.post(f"/hub/api/users/{name}/tokens", headers=person.xsrf, json={"note": "x"})
    return {"Authorization": f"token {made.json()['token']}"}


def opens(person: Person, url: str, *protocols: str, **options: Any) -> bool:
    """Whether a dashboard's WebSocket opens and answers."""
    try:
        socket = person.connect(url, *protocols, **options)
        return bool(socket.recv(timeout=20))
    except (InvalidStatus, ConnectionClosed):
        return False


def opens_anothers_server(hub: Hub) -> bool:
    signed_in(hub, ADMIN).open_dashboards()
    header = header_of(signed_in(hub, MEMBER), MEMBER)
    return requests.get(f"{hub.url}/user/{ADMIN}/?all", headers=header, timeout=20).ok


def opens_a_folder_that_is_not_shared(hub: Hub) -> bool:
    write_notebook(hub.notebooks / "elsewhere" / "money.ipynb", code("'money'"))
    member = signed_in(hub, MEMBER)
    member.open_dashboards()
    return member.get(f"/user/{MEMBER}/dashboards/elsewhere/money").ok


def reads_by_a_link(hub: Hub) -> bool:
    outside = write_notebook(hub.folder / "beside" / "x.ipynb", markdown("# wisteria5c1d"))
    link = hub.notebooks / "user" / "by_a_link.ipynb"
    link.symlink_to(outside)
    try:
        member = signed_in(hub, MEMBER)
        return "wisteria5c1d" in member.open_dashboards().text
    finally:
        link.unlink()


def opens_a_socket_from_elsewhere(hub: Hub) -> bool:
    page = load(signed_in(hub, MEMBER))
    return opens(page.person, f"{page.url}/ws", "bokeh", page.token, origin="http://evil.test")


def opens_a_socket_as_nobody(hub: Hub) -> bool:
    page = load(signed_in(hub, MEMBER))
    return opens(page.person, f"{page.url}/ws", "bokeh", page.token, cookies=False)


def opens_by_a_token_of_another_key(hub: Hub) -> bool:
    page = load(signed_in(hub, MEMBER))
    return opens(page.person, f"{page.url}/ws", "bokeh", ANOTHER_KEY(page.token))


def signs_in_by_an_address(hub: Hub) -> bool:
    member = signed_in(hub, MEMBER)
    member.open_dashboards()
    token = header_of(member, MEMBER)["Authorization"].partition(" ")[2]
    page = Person(hub).get(f"/user/{MEMBER}/?all&token={token}")
    return page.ok and "/user/" in page.url


def tells_a_server_its_groups(hub: Hub) -> bool:
    signed_in(hub, MEMBER).open_dashboards()
    told = {"groups": ["user"], "ended": False}
    return requests.put(f"{hub.url}/user/{MEMBER}/groups", json=told, timeout=20).ok


def goes_on_after_a_revocation(hub: Hub) -> bool:
    write_notebook(hub.notebooks / "elsewhere" / "money.ipynb", code("'money'"))
    analyst = signed_in(hub, ANALYST)
    give(hub, "elsewhere", ANALYST)
    analyst.open_dashboards()
    wait_until(lambda: "elsewhere" in analyst.get(f"/user/{ANALYST}/?all").text, "the group")
    socket = analyst.watch("elsewhere", "money")
    gallery = analyst.connect(f"/user/{ANALYST}/changes")
    gallery.recv(timeout=20)
    take(hub, "elsewhere", ANALYST)
    assert gallery.recv(timeout=20) == "changed"  # the server has been told
    try:
        closed_with(socket, 1)
    except TimeoutError:
        return True
    finally:
        analyst.close()
    return False


def uses_a_stolen_cookie(hub: Hub) -> bool:
    analyst = signed_in(hub, ANALYST)
    thief = copy_of(analyst)
    analyst.get("/hub/logout")
    return thief.is_signed_in()


def leads_to_another_site(hub: Hub) -> bool:
    person = Person(hub)
    person.ask_for_link(ANALYST, "/hub/oauth_login?next=https://evil.test/x")
    answer = person.get(person.mailed_link(ANALYST), allow_redirects=False)
    while answer.status_code in {302, 303}:
        where = urljoin(answer.url, answer.headers["Location"])
        if where.startswith("https://evil.test"):
            return True
        if "/user/" in where or "/hub/spawn" in where:
            break
        answer = person.get(where, allow_redirects=False)
    return False


def signs_a_victim_in_as_the_attacker(hub: Hub) -> bool:
    victim = Person(hub)
    victim.get(callback_of(Person(hub), ANALYST))
    return victim.is_signed_in()


def grants_from_another_site(hub: Hub) -> bool:
    write_notebook(hub.notebooks / "wanted" / "x.ipynb", code("1"))
    member, admin = signed_in(hub, MEMBER), signed_in(hub, ADMIN)
    ask(member, "wanted/x")
    sent = {"request": ids(admin, MEMBER)[-1], "answer": "grant"}
    return admin.post("/hub/requests", data=sent, headers={"Sec-Fetch-Site": "cross-site"}).ok


def takes_an_account_over(hub: Hub) -> bool:
    name = "reused@acme.test"
    for _ in range(2):
        add_person(hub, name)
        person = signed_in(hub, name)
        hub.project.mgmt.user.delete(name)
    return person.is_signed_in()


def starts_a_server_of_admins(hub: Hub) -> bool:
    return hub_ask(signed_in(hub, MEMBER), "POST", f"/users/{MEMBER}/servers/admin").ok


def floods(hub: Hub) -> bool:
    attacker = From("127.0.6.1", hub.url)
    return all(wrong_sign_in(attacker).status_code != 429 for _ in range(100))


def signs_somebody_out(hub: Hub) -> bool:
    subject = hub.project.mgmt.user.load(MEMBER)["user"]["userId"]
    address = f"{hub.url}/services/descope/{LOCAL_PROJECT_ID}"
    forged = token(iss=address, aud=LOCAL_PROJECT_ID, sub=subject)
    form = {"logout_token": forged}
    return requests.post(f"{hub.url}/hub/backchannel-logout", data=form, timeout=20).ok


def leaves_a_token_in_the_log(hub: Hub) -> bool:
    Person(hub).get("/hub/home?token=celandine9e1b", allow_redirects=False)
    Person(hub).get("/hub/home?token=celandine9e1b")
    return "celandine9e1b" in hub.log_text()


SUCCEEDS: dict[str, Callable[[Hub], bool]] = {
    "a server is its owner's": opens_anothers_server,
    "dashboards are found by name among one's own": opens_a_folder_that_is_not_shared,
    "a link leads to a file of the same folder only": reads_by_a_link,
    "the origin of a WebSocket is the server's own": opens_a_socket_from_elsewhere,
    "a WebSocket is for the owner, as the page is": opens_a_socket_as_nobody,
    "a session is opened by the token that its page was given": opens_by_a_token_of_another_key,
    "tokens in addresses are no sign-in": signs_in_by_an_address,
    "the hub's key of a server": tells_a_server_its_groups,
    "what is open is closed when its group is taken away": goes_on_after_a_revocation,
    "signing out ends every cookie": uses_a_stolen_cookie,
    "a sign-in leads to own paths": leads_to_another_site,
    "a sign-in is its browser's": signs_a_victim_in_as_the_attacker,
    "XSRF token": grants_from_another_site,
    "identity is bound to issuer and subject": takes_an_account_over,
    "which servers there are": starts_a_server_of_admins,
    "limit on wrong sign-ins": floods,
    "check of a logout token": signs_somebody_out,
    "no token in the log": leaves_a_token_in_the_log,
}


#: Which of them no other test tries.
ONLY_HERE = {
    "a sign-in is its browser's": "session fixation",
    "no token in the log": "token in a URL",
}


def marks(guard: str) -> list[pytest.MarkDecorator]:
    tried = [attack(ONLY_HERE[guard], guard)] if guard in ONLY_HERE else []
    return [guard_out(guard), *tried]


@pytest.mark.slow
@pytest.mark.parametrize("guard", [pytest.param(one, marks=marks(one)) for one in SUCCEEDS])
def test_with_the_guard_it_is_refused_and_without_it_succeeds(
    guard: str, hub: Hub, unguarded: Town
) -> None:
    assert not SUCCEEDS[guard](hub)
    assert SUCCEEDS[guard](unguarded.hub)


@pytest.mark.slow
@attack("forged session token", "a session token counts for a while")
def test_an_old_session_token_opens_nothing(unguarded: Town) -> None:
    """On the server of the admin folder, of which nothing is out, but whose tokens are short."""
    hub = unguarded.hub
    admin = signed_in(hub, ADMIN)
    admin.get(f"/hub/spawn/{ADMIN}/admin")
    place = f"/user/{ADMIN}/admin/dashboards/admin/who_am_i"
    page = wait_until(
        lambda: (page := admin.get(place)).ok and '"token":"' in page.text and page, place
    )
    session = page.text.partition('"token":"')[2].partition('"')[0]
    wait_until(lambda: time.time() > parts_of(session)["session_expiry"] + 1, "the token is old")
    assert not opens(admin, f"{place}/ws", "bokeh", session)
    admin.close()
