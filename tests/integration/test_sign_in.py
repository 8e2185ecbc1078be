"""Signing in: every way to turn it into somebody else's session is refused."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.hub import Hub
from tests.person import Person

ALICE, MALLORY = "admin@acme.test", "mallory@evil.test"


@pytest.fixture(scope="module")
def hub(shared_hub: Hub) -> Hub:
    """A hub as it is shipped, also that of other files."""
    shared_hub.forget_mails()
    return shared_hub


@pytest.fixture
def person(hub: Hub) -> Person:
    return Person(hub)


def callback_of(person: Person, email: str) -> str:
    """The provider's answer to a finished sign-in, caught before the hub sees it."""
    person.ask_for_link(email, "/hub/home")
    answer = person.get(person.mailed_link(email), allow_redirects=False)
    while "/hub/oauth_callback" not in answer.headers["Location"]:
        answer = person.get(answer.headers["Location"], allow_redirects=False)
    return answer.headers["Location"]


def test_a_deep_link_survives_the_sign_in_query_included(person: Person) -> None:
    landed = person.sign_in("member@acme.test", "/hub/home?a=1&b=x%2Fy")
    assert landed.url.endswith("/hub/home?a=1&b=x%2Fy")


def test_two_tabs_sign_in_without_disturbing_each_other(person: Person) -> None:
    first = person.get("/hub/home?tab=1")
    person.get("/hub/home?tab=2")
    person.submit(first, email="member@acme.test")
    assert person.get(person.mailed_link("member@acme.test")).url.endswith("?tab=1")


def test_a_link_opened_in_another_browser_signs_in_there_after_a_question(hub: Hub) -> None:
    laptop, phone = Person(hub), Person(hub)
    laptop.ask_for_link(ALICE, "/hub/home?from=laptop")
    asked = phone.get(laptop.mailed_link(ALICE))
    assert f"Continue as {ALICE}?" in asked.text
    assert not phone.is_signed_in()
    landed = phone.submit(asked, button="yes")
    assert landed.url.endswith("/hub/home?from=laptop")
    assert phone.is_signed_in()
    assert not laptop.is_signed_in()


def test_an_attackers_link_does_not_sign_a_victim_in(hub: Hub) -> None:
    mallory, victim = Person(hub), Person(hub)
    victim.get("/hub/home")
    mallory.ask_for_link(MALLORY)
    asked = victim.get(mallory.mailed_link(MALLORY))
    asked = victim.submit(asked, fullName="Mallory") if "Continue as" not in asked.text else asked
    assert f"Continue as {MALLORY}?" in asked.text
    out = victim.submit(asked, button="no")
    assert out.url.endswith("/hub/signed-out")
    assert not victim.is_signed_in()


def test_an_attackers_callback_is_thrown_away(hub: Hub) -> None:
    mallory, victim = Person(hub), Person(hub)
    caught = callback_of(mallory, "analyst@acme.test")
    landed = victim.get(caught)
    assert "E-mail" in landed.text  # asked to sign in themselves
    assert not victim.is_signed_in()


def test_a_live_session_of_somebody_else_is_not_replaced_silently(hub: Hub) -> None:
    alice, mallory = Person(hub), Person(hub)
    alice.sign_in(ALICE)
    mallory.ask_for_link("analyst@acme.test")
    asked = alice.get(mallory.mailed_link("analyst@acme.test"))
    assert "Continue as analyst@acme.test?" in asked.text
    assert f"signed in here as {ALICE}" in asked.text
    assert alice.cookies_name() == ALICE


@pytest.mark.parametrize("forged", ["", "e30=", "bm9uc2Vuc2U", "x" * 3000, "%00"])
def test_a_forged_state_signs_nobody_in(person: Person, forged: str) -> None:
    code = parse_qs(urlsplit(callback_of(person, "member@acme.test")).query)["code"][0]
    answer = person.get("/hub/oauth_callback", params={"code": code, "state": forged})
    assert answer.status_code < 500
    assert not person.is_signed_in() or "Continue as" in answer.text


def test_a_callback_works_once(hub: Hub) -> None:
    person = Person(hub)
    caught = callback_of(person, "member@acme.test")
    assert person.get(caught).url.endswith("/hub/home")
    again = person.get(caught, allow_redirects=False)
    assert "/hub/oauth_login?again=" in again.headers["Location"]


def test_a_browser_without_cookies_is_told_so_and_sent_in_no_circle(hub: Hub) -> None:
    person = Person(hub)
    caught = callback_of(person, "member@acme.test")
    bare = requests.get(caught, allow_redirects=False, timeout=20)
    away = requests.get(hub.url + bare.headers["Location"], allow_redirects=False, timeout=20)
    state = parse_qs(urlsplit(away.headers["Location"]).query)["state"][0]
    told = requests.get(
        f"{hub.url}/hub/oauth_callback", params={"code": "x", "state": state}, timeout=20
    )
    assert told.status_code == 400
    assert "keeps no cookies" in told.text


def test_the_continue_page_takes_no_answer_from_elsewhere(hub: Hub) -> None:
    laptop, phone, other = Person(hub), Person(hub), Person(hub)
    laptop.ask_for_link(ALICE)
    asked = phone.get(laptop.mailed_link(ALICE))
    held = re.search(r'name="held" value="([^"]+)"', asked.text)
    assert held
    without_xsrf = phone.post("/hub/continue", data={"held": held[1], "answer": "yes"})
    assert without_xsrf.status_code == 403
    other.get("/hub/home")
    page = other.get("/hub/signed-out")
    assert page.ok
    stolen = other.post(
        "/hub/continue",
        data={"held": held[1], "answer": "yes", "_xsrf": other.cookies.get("_xsrf", path="/hub/")},
    )
    assert stolen.status_code in {400, 403}
    assert not other.is_signed_in()


def test_an_outside_next_is_not_followed(person: Person) -> None:
    landed = person.sign_in("member@acme.test", "/hub/login?next=https://evil.test/")
    assert urlsplit(landed.url).netloc == urlsplit(person.hub.url).netloc


def test_somebody_with_no_folder_is_told_so_and_gets_no_server(hub: Hub) -> None:
    newcomer = "newcomer@elsewhere.test"
    hub.project.mgmt.user.create(newcomer, email=newcomer, verified_email=True, display_name="N")
    person = Person(hub)
    landed = person.sign_in(newcomer, "/")
    assert "Nothing is shared with you yet" in landed.text
    assert person.get("/hub/spawn").status_code == 403
    user = hub.api(f"/users/{newcomer}").json()
    assert user["servers"] == {}
    assert user["groups"] == []
    assert hub.api(f"/users/{newcomer}/tokens").json()["api_tokens"] == []


def test_full_admins_are_named_by_the_operator_only(hub: Hub) -> None:
    Person(hub).sign_in(ALICE)
    assert hub.api(f"/users/{ALICE}").json()["admin"] is False
    assert set(hub.api(f"/users/{ALICE}").json()["groups"]) == {"admin", "user"}


def test_signing_out_ends_it_everywhere(hub: Hub) -> None:
    laptop, phone = Person(hub), Person(hub)
    for browser in (laptop, phone):
        browser.sign_in("analyst@acme.test")
    assert laptop.open_dashboards().ok
    out = laptop.get("/hub/logout")
    assert "You are signed out" in out.text
    assert not phone.is_signed_in()
    assert hub.api("/users/analyst@acme.test").json()["servers"] == {}
    assert hub.api("/users/analyst@acme.test/tokens").json()["api_tokens"] == []
    asked_again = laptop.get("/hub/home")
    assert "E-mail" in asked_again.text


def test_another_site_cannot_sign_anybody_out(hub: Hub) -> None:
    person = Person(hub)
    person.sign_in("member@acme.test")
    asked = person.get("/hub/logout", headers={"Sec-Fetch-Site": "cross-site"})
    assert "Sign out?" in asked.text
    assert person.is_signed_in()


def test_somebody_who_leaves_on_the_way_out_is_asked_again(hub: Hub) -> None:
    person = Person(hub)
    person.sign_in("member@acme.test")
    away = person.get("/hub/logout", allow_redirects=False)
    assert "/oauth2/v1/logout" in away.headers["Location"]
    assert "E-mail" in person.get("/hub/home").text  # though the provider still knows them


def test_no_page_of_a_person_is_kept_by_the_browser(person: Person) -> None:
    person.sign_in("member@acme.test")
    for path in ("/hub/home", "/hub/token"):
        assert person.get(path).headers["Cache-Control"] == "no-store"


def test_no_token_code_or_link_stands_in_the_log(hub: Hub) -> None:
    person = Person(hub)
    caught = callback_of(person, "member@acme.test")
    person.get(caught)
    query = parse_qs(urlsplit(caught).query)
    log = hub.log_text()
    for secret in (query["code"][0], (hub.state / "secrets" / "cookie_secret").read_text().strip()):
        assert secret not in log
    assert not re.search(r"eyJ[\w-]+\.eyJ[\w-]+\.", log)  # no JSON web token either


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "hub.example.com"},
        {"X-Forwarded-For": "203.0.113.5"},
        {"X-Forwarded-Host": "hub.example.com"},
        {"X-Real-IP": "203.0.113.5"},
        {"Forwarded": "for=203.0.113.5;host=hub.example.com"},
        {"Origin": "https://hub.example.com"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_the_stand_in_answers_nobody_elsewhere_behind_a_reverse_proxy(
    headers: dict[str, str], hub: Hub
) -> None:
    for path in ("/services/descope/", "/services/descope/outbox"):
        assert requests.get(hub.url + path, timeout=20).ok
        refused = requests.get(hub.url + path, headers=headers, timeout=20)
        assert refused.status_code == 403
        assert "admin@acme.test" not in refused.text
