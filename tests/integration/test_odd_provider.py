"""A provider that answers wrongly, slowly or not at all: nobody is signed in, nothing breaks."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from joserfc.jwk import RSAKey

from tests import told
from tests.conftest import StartHub
from tests.hub import FEW_SERVERS, Hub, wait_until
from tests.odd_provider import OddProvider
from tests.person import Person


@pytest.fixture(scope="module")
def hub(running_provider: OddProvider, start_hub: StartHub) -> Hub:
    """A hub with a real project's settings, whose provider is the odd one; servers have no accounts
    of their own."""
    return start_hub(**FEW_SERVERS, **running_provider.settings, ATRIUM_UNIX_UIDS="off")


def groups(hub: Hub, name: str = "ada@acme.test") -> set[str]:
    return set(hub.api(f"/users/{name}").json()["groups"])


def test_a_well_behaved_answer_signs_in(hub: Hub, provider: OddProvider) -> None:
    provider.claims["tenants"] = {"acme": {"roles": ["Analyst"]}}
    person = Person(hub)
    person.get("/hub/home")
    assert person.is_signed_in()
    assert groups(hub) == {"user", "analysts"}


def test_with_a_real_project_nobody_publishes_without_accounts(
    hub: Hub, provider: OddProvider
) -> None:
    provider.claims["tenants"] = {"acme": {"roles": ["Analyst", "Tenant Admin"]}}
    person = Person(hub)
    page = person.get("/hub/publish")
    assert page.status_code == 403
    assert "set ATRIUM_UNISOLATED=yes" in page.text
    headers = person.xsrf | {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
    for method, path in (("GET", ""), ("POST", "/checks?name=x")):
        answer = person.request(method, f"/hub/api/publishing{path}", headers=headers, data=None)
        assert answer.status_code == 403, answer.text
        assert "set ATRIUM_UNISOLATED=yes" in answer.json()["message"]


OTHER_KEY = RSAKey.generate_key(2048, {"kid": "k1"})
BAD_TOKENS: list[dict[str, Any]] = [
    {"alg": "none"},
    {"key": OTHER_KEY},
    {"id_token": {"iss": "https://evil.test"}},
    {"id_token": {"aud": "somebody-else"}},
    {"id_token": {"exp": 1}},
    {"id_token": {"nonce": "another"}},
    {"id_token": {"nonce": None}},
    {"id_token": {"sub": "U2"}},
    {"userinfo": {"sub": "U2"}},
    {"userinfo": {"sub": None}},
    {"userinfo": {"email_verified": False}},
    {"userinfo": {"email_verified": "true"}},
    {"userinfo": {"email": None}},
    {"without": {"id_token"}},
    {"without": {"access_token"}},
    {"status": 400},
    {"status": 401},
]


@pytest.mark.parametrize("wrong", BAD_TOKENS, ids=told)
def test_a_wrong_answer_signs_nobody_in(
    wrong: dict[str, Any], hub: Hub, provider: OddProvider
) -> None:
    for name, value in wrong.items():
        setattr(provider, name, value)
    person = Person(hub)
    answer = person.get("/hub/home")
    assert answer.status_code == 403
    assert "This is not open to you" in answer.text
    assert "a-refresh-token" not in answer.text + hub.log_text()
    provider.reset()
    assert not person.cookies.get("jupyterhub-hub-login", path="/hub/")


@pytest.mark.parametrize(
    "tenants",
    [
        ["acme"],
        "acme",
        None,
        7,
        {"acme": {"roles": None}},
        {"acme": {"roles": ["x" * 10_000]}},
        {"acme": []},
        {"globex": {"roles": ["Tenant Admin"]}},
    ],
    ids=lambda value: str(value)[:30],
)
def test_claims_of_the_wrong_shape_give_no_right(
    tenants: Any, hub: Hub, provider: OddProvider
) -> None:
    provider.claims.update(tenants=tenants, sub="U7", email="shape@acme.test")
    provider.claims["roles"] = ["Tenant Admin"]
    Person(hub).get("/hub/home")
    assert groups(hub, "shape@acme.test") <= {"user"}


def test_markup_in_a_name_is_shown_as_text(hub: Hub, provider: OddProvider) -> None:
    provider.claims["name"] = "<script>alert(1)</script>"
    person = Person(hub)
    assert person.get("/hub/home").ok
    assert "<script>alert(1)" not in person.open_dashboards().text


def test_another_person_with_the_same_address_is_refused(hub: Hub, provider: OddProvider) -> None:
    Person(hub).get("/hub/home")
    provider.claims["sub"] = "U-another"
    second = Person(hub)
    answer = second.get("/hub/home")
    assert answer.status_code == 403
    assert "belongs to somebody who used it here before" in answer.text
    assert "another identity came with the address of" in hub.log_text()


def test_a_person_whose_address_changed_keeps_what_they_have(
    hub: Hub, provider: OddProvider
) -> None:
    provider.claims.update(sub="U9", email="before@acme.test")
    Person(hub).get("/hub/home")
    hub.api("/groups/moved", "POST", json={"users": ["before@acme.test"]})
    provider.claims["email"] = "after@acme.test"
    person = Person(hub)
    assert "before@acme.test" in person.get("/hub/home").text
    assert "moved" in groups(hub, "before@acme.test")


def test_a_person_bound_to_another_name_replaces_nobodys_session_unasked(
    hub: Hub, provider: OddProvider
) -> None:
    provider.claims.update(sub="U-moved", email="moved@acme.test")
    Person(hub).get("/hub/home")
    provider.reset()
    ada = Person(hub)
    ada.get("/hub/home")
    provider.claims["sub"] = "U-moved"  # with the address of whoever is signed in here
    asked = ada.get("/hub/oauth_login")
    assert "Continue as moved@acme.test?" in asked.text
    assert ada.cookies_name() == "ada@acme.test"


@pytest.mark.parametrize("status", [500, 503, 429, 404, 302])
def test_a_provider_that_is_away_is_said_with_a_way_to_try_again(
    status: int, hub: Hub, provider: OddProvider
) -> None:
    provider.status = status
    person = Person(hub)
    answer = person.get("/hub/home?a=1")
    assert answer.status_code == 503
    assert "Try again" in answer.text
    provider.reset()
    assert person.get("/hub/login?next=%2Fhub%2Fhome%3Fa%3D1").url.endswith("/hub/home?a=1")


BOSS = "boss@acme.test"


@pytest.fixture(scope="module")
def hub_with_a_full_admin(running_provider: OddProvider, start_hub: StartHub) -> Hub:
    return start_hub(**FEW_SERVERS, **running_provider.settings, ATRIUM_HUB_ADMINS=BOSS)


def rights(hub: Hub, name: str) -> tuple[bool, set[str]]:
    """The flag and the roles; rights come from the roles."""
    user = hub.api(f"/users/{name}").json()
    return user["admin"], set(user["roles"])


def test_a_full_admin_who_left_the_owner_tenant_is_none(
    hub_with_a_full_admin: Hub, provider: OddProvider
) -> None:
    hub = hub_with_a_full_admin
    provider.claims.update(sub="U-boss", email=BOSS)
    Person(hub).get("/hub/home")
    assert rights(hub, BOSS) == (True, {"admin", "user"})
    provider.claims["tenants"] = {"globex": {"roles": ["Tenant Admin"]}}
    Person(hub).get("/hub/home")
    assert rights(hub, BOSS) == (False, {"user"})


def test_an_address_changed_to_a_full_admins_gives_no_right(
    hub_with_a_full_admin: Hub, provider: OddProvider
) -> None:
    hub = hub_with_a_full_admin
    provider.claims.update(sub="U-climber", email="climber@acme.test")
    Person(hub).get("/hub/home")
    provider.claims["email"] = BOSS
    Person(hub).get("/hub/home")
    assert rights(hub, "climber@acme.test") == (False, {"user"})


@pytest.mark.parametrize("state", ["W10=", "ImEi", "NQ==", "bnVsbA==", "é", "a b", "%ff"])
def test_a_malformed_state_is_no_error_of_ours(state: str, hub: Hub, provider: OddProvider) -> None:
    answer = Person(hub).get(
        "/hub/oauth_callback", params={"code": "x", "state": state}, allow_redirects=False
    )
    assert answer.status_code == 302


def test_no_code_stands_in_the_log_of_a_failed_return(hub: Hub, provider: OddProvider) -> None:
    provider.status = 503
    Person(hub).get("/hub/home")
    Person(hub).get("/hub/oauth_callback?code=a-secret-code&state=a-secret-state")
    wait_until(lambda: "503 GET /hub/oauth_callback" in hub.log_text(), "the line in the log")
    assert "code=a-code" not in hub.log_text()
    assert "a-secret-" not in hub.log_text()


def test_a_provider_that_hangs_slows_no_other_page(hub: Hub, provider: OddProvider) -> None:
    working = Person(hub)
    working.get("/hub/home")
    provider.hang = 60
    with ThreadPoolExecutor(8) as waiting:
        stuck = [waiting.submit(lambda: Person(hub).get("/hub/home")) for _ in range(8)]
        wait_until(lambda: provider.asked.count("/token") >= 8, "eight sign-ins that wait")
        times = []
        for _ in range(60):
            begin = time.perf_counter()
            assert working.get("/hub/home").ok
            times.append(time.perf_counter() - begin)
        assert statistics.quantiles(times, n=20)[-1] < 0.3
        assert {answer.result().status_code for answer in stuck} == {503}


def test_the_start_ends_with_a_sentence_when_the_provider_is_unreachable(
    start_hub: StartHub, provider: OddProvider
) -> None:
    settings = {**provider.settings, "DESCOPE_ISSUER": "http://127.0.0.1:9"}
    with pytest.raises(AssertionError, match="ended with status 1") as failure:
        start_hub(**settings)
    said = "".join(failure.value.__notes__)
    assert "does not answer at http://127.0.0.1:9" in said
    assert "DESCOPE_ISSUER" in said
    assert "Traceback" not in said


def test_who_was_asked_too_long_ago_is_asked_again(hub: Hub, provider: OddProvider) -> None:
    person = Person(hub)
    provider.claims["auth_time"] = int(time.time()) - 13 * 3600
    page = person.get("/hub/home")
    assert page.status_code == 403
    assert "did not ask you who you are" in page.text
    assert [answer.url for answer in page.history if "prompt=login" in answer.url]
    provider.claims["auth_time"] = int(time.time())
    person.get("/hub/home")
    assert person.is_signed_in()


def test_how_somebody_signed_in_holds_over_a_refresh_that_does_not_repeat_it(
    start_hub: StartHub, provider: OddProvider
) -> None:
    quick = {"ATRIUM_REQUIRED_AMR": "mfa", "ATRIUM_REVOKE_SECONDS": "5"}
    strict_hub = start_hub(**FEW_SERVERS, **provider.settings, **quick)
    provider.claims["tenants"] = {"acme": {"roles": ["Tenant Admin"]}}
    provider.userinfo = {"amr": ["mfa"]}  # for the ID token alone to say
    person = Person(strict_hub)
    person.get("/hub/home")
    assert groups(strict_hub) == {"user"}
    provider.id_token = {"amr": ["email", "mfa"]}
    person.get("/hub/logout")
    person.get("/hub/home")
    assert groups(strict_hub) == {"user", "admin"}
    provider.without, provider.userinfo = {"id_token"}, {}
    provider.claims["tenants"] = {"acme": {"roles": ["Tenant Admin", "Analyst"]}}
    everything = {"user", "admin", "analysts"}
    wait_until(lambda: groups(strict_hub) == everything, "the refreshed roles")
    assert person.is_signed_in()
    strict_hub.stop()


def test_two_sign_ins_at_once_come_one_after_the_other(
    start_hub: StartHub, provider: OddProvider
) -> None:
    """A browser that came in by a weak way must not keep its cookie beside the rights of a strong
    one, however the two fall together. Without the lock about every third of these tries does."""
    provider.claims["tenants"] = {"acme": {"roles": ["Tenant Admin"]}}
    # Slow to refresh: what this provider says at one would count for both.
    slow = {"ATRIUM_REQUIRED_AMR": "mfa", "ATRIUM_REVOKE_SECONDS": "600"}
    strict_hub = start_hub(**provider.settings, **slow)
    for number in range(16):
        provider.id_token = {"amr": ["email"]}
        weak = Person(strict_hub)
        question = weak.get("/hub/oauth_login?again=-")  # waits at "Continue as …?"
        provider.id_token = {"amr": ["mfa"]}
        strong = Person(strict_hub)
        begun = strong.get("/hub/oauth_login", allow_redirects=False).headers["Location"]
        back = requests.get(begun, allow_redirects=False, timeout=20).headers["Location"]
        with ThreadPoolExecutor(2) as threads:
            threads.submit(strong.get, back, allow_redirects=False)
            time.sleep((5 + number % 8) / 1000)  # the two have to meet, now here, now there
            threads.submit(weak.submit, question, "yes", follow=False)
        if "admin" in groups(strict_hub):
            assert not weak.is_signed_in()
