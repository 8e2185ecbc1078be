"""Attacks on asking for access: another's name, a right one has not, and what a form can carry."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import requests

from hub_extensions.access import requests as access_requests
from tests.attacks import attack
from tests.hub import Hub
from tests.person import Person
from tests.requests_page import add_dashboard, add_person, answer, ask, give, groups, ids, xsrf

ADMIN, MEMBER, ANALYST = "admin@acme.test", "member@acme.test", "analyst@acme.test"
#: Mia is of the customer globex, and so is its manager; Ray is of the customer initech.
MIA, MANAGER, RAY = "mia@acme.test", "manager@acme.test", "ray@acme.test"
SCRIPT = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub with two customers, and people of theirs."""
    hub = Hub(tmp_path_factory.mktemp("hub"))
    options = [f"--DescopeAuthenticator.customer_tenants={name}" for name in ("globex", "initech")]
    for name in ("finance/money", "globex.reports/sales", "initech.reports/sales", "<b>/<i>"):
        add_dashboard(hub, *name.split("/"))
    try:
        yield hub.start(*options)
    finally:
        hub.stop()


def signed_in(hub: Hub, email: str) -> Person:
    return Person.signed_in(hub, email)


def joined(hub: Hub, email: str, *member_of: str) -> Person:
    """Somebody new, and the groups that they are put into."""
    add_person(hub, email)
    person = signed_in(hub, email)
    for group in member_of:
        give(hub, group, email)
    return person


@pytest.fixture(scope="module")
def admin(hub: Hub) -> Person:
    return signed_in(hub, ADMIN)


@pytest.fixture(scope="module")
def member(hub: Hub) -> Person:
    return signed_in(hub, MEMBER)


@pytest.fixture(scope="module")
def analyst(hub: Hub) -> Person:
    return signed_in(hub, ANALYST)


@pytest.fixture(scope="module")
def mia(hub: Hub) -> Person:
    return joined(hub, MIA, "globex", "customers")


@pytest.fixture(scope="module")
def ray(hub: Hub) -> Person:
    return joined(hub, RAY, "initech", "customers")


@pytest.fixture(scope="module")
def manager(hub: Hub, mia: Person, ray: Person) -> Person:
    """Who manages the customer globex, with a request of Mia's on the desk."""
    ask(mia, "globex.reports/sales")
    ask(mia, "finance/money")
    ask(ray, "globex.reports/sales")
    ask(ray, "initech.reports/sales")
    return joined(hub, MANAGER, "globex", "globex.admin")


@pytest.fixture
def request_id(admin: Person, member: Person) -> Iterator[str]:
    """An open request of the member's for `finance`."""
    ask(member, "finance/money")
    request = ids(admin, MEMBER)[-1]
    yield request
    answer(admin, request, "decline")


# -- in whose name -----------------------------------------------------------------------------


@attack("insecure direct object reference", "who asks is who is signed in")
@pytest.mark.parametrize(
    "field", ["user", "user_id", "name", "user_name", "for_user", "decided_by", "state"]
)
def test_nobody_asks_in_anothers_name(
    field: str, admin: Person, analyst: Person, member: Person
) -> None:
    ask(member, f"tried {field}/x", **{field: ANALYST})
    assert not ids(admin, ANALYST)
    assert len(ids(admin, MEMBER)) == 1
    withdraw_all(member)


def withdraw_all(person: Person) -> None:
    while "Withdraw" in (page := person.get("/hub/ask")).text:
        person.submit(page)


@attack("insecure direct object reference", "a request is its asker's")
def test_nobody_withdraws_anothers_request(request_id: str, admin: Person, analyst: Person) -> None:
    sent = {"_xsrf": xsrf(analyst), "request": request_id}
    assert analyst.post("/hub/ask/withdraw", data=sent).status_code == 404
    assert request_id in ids(admin)


@attack("broken access control", "signing in comes first")
@pytest.mark.parametrize("path", ["/hub/ask?dashboard=finance/money", "/hub/requests"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nobody_asks_or_answers_unknown(method: str, path: str, hub: Hub) -> None:
    page = requests.request(method, f"{hub.url}{path}", allow_redirects=False, timeout=20)
    assert page.status_code in {302, 403}
    assert "finance" not in page.text


@attack("broken access control", "pages take no tokens")
def test_a_token_made_by_hand_or_of_a_server_does_not_ask_or_answer(
    hub: Hub, request_id: str, admin: Person
) -> None:
    made = admin.post(f"/hub/api/users/{ADMIN}/tokens", headers=admin.xsrf, json={})
    header = {"Authorization": f"token {made.json()['token']}"}
    sent = {"request": request_id, "answer": "grant"}
    page = requests.post(
        f"{hub.url}/hub/requests", data=sent, headers=header, allow_redirects=False, timeout=20
    )
    assert page.status_code == 403
    assert "finance" not in groups(hub, MEMBER)


# -- without a right ---------------------------------------------------------------------------


@attack("privilege escalation", "who decides is who manages the group")
@pytest.mark.parametrize("words", ["grant", "decline"])
def test_nobody_answers_without_a_right(
    words: str, hub: Hub, request_id: str, analyst: Person, member: Person, mia: Person
) -> None:
    for person in (analyst, member, mia):
        assert answer(person, request_id, words).status_code == 403
        assert person.get("/hub/requests").status_code == 403
    assert "finance" not in groups(hub, MEMBER)


@attack("privilege escalation", "nobody answers themselves")
def test_nobody_answers_their_own_request(hub: Hub, analyst: Person) -> None:
    give(hub, "sales.admin", ANALYST)
    add_dashboard(hub, "sales", "own")
    ask(analyst, "sales/own")
    page = analyst.get("/hub/ask").text
    found = re.search(r'name="request" value="(\d+)"', page)
    assert found
    assert not ids(analyst)
    refused = answer(analyst, found[1])
    assert refused.status_code == 403
    assert "request of their own" in refused.text
    assert "sales" not in groups(hub, ANALYST)
    withdraw_all(analyst)


@attack("cross-tenant access", "requests of one's own people")
def test_a_customers_manager_sees_their_own_peoples_requests_for_their_own_groups(
    manager: Person,
) -> None:
    page = manager.get("/hub/requests").text
    assert len(ids(manager)) == 1
    assert len(ids(manager, MIA)) == 1
    for canary in (RAY, "initech", "finance"):
        assert canary not in page


@attack("cross-tenant access", "requests of one's own people")
def test_a_customers_manager_answers_nothing_of_others(
    hub: Hub, manager: Person, admin: Person, request_id: str
) -> None:
    own = ids(manager)
    missing = answer(manager, "4000000").text
    for other in set(ids(admin)) - set(own):
        refused = answer(manager, other)
        assert refused.status_code == 404
        assert refused.text == missing
        assert "globex" not in groups(hub, RAY)
    assert groups(hub, MIA) == {"globex", "customers", "user"}
    assert answer(manager, own[0]).ok
    assert "globex.reports" in groups(hub, MIA)


@attack("privilege escalation", "groups that carry rights are not granted")
@pytest.mark.parametrize(
    "group", ["admin", "user", "analysts", "globex", "globex.admin", "customers"]
)
def test_a_group_that_follows_the_provider_is_not_given(
    group: str, hub: Hub, admin: Person, ray: Person
) -> None:
    if not (hub.notebooks / group).is_dir():
        add_dashboard(hub, group, "any")
    before = groups(hub, RAY)
    name = next((hub.notebooks / group).glob("*.ipynb")).stem
    ask(ray, f"{group}/{name}")
    if group in before:
        return
    request = ids(admin, RAY)[-1]
    assert answer(admin, request).status_code == 403
    assert groups(hub, RAY) == before
    answer(admin, request, "decline")


@attack("malformed input", "ids of requests")
@pytest.mark.parametrize(
    "tampered", ["", "0", "-1", "1 OR 1=1", "../1", "1e1", "9" * 30, "\u0661", "null", "[1]"]
)
def test_an_id_that_is_none_answers_nothing(tampered: str, admin: Person, request_id: str) -> None:
    assert answer(admin, tampered).status_code == 404
    assert request_id in ids(admin)


@attack("malformed input", "an answer is one of two words")
@pytest.mark.parametrize("words", ["", "GRANT", "grant,decline", "granted", "open", "delete"])
def test_an_answer_is_yes_or_no(words: str, hub: Hub, admin: Person, request_id: str) -> None:
    assert answer(admin, request_id, words).status_code == 400
    assert request_id in ids(admin)


@attack("malformed input", "dates of a grant")
@pytest.mark.parametrize(
    ("term", "day"),
    [
        ("day", "2020-01-01"),
        ("day", "9999-12-31"),
        ("day", "275760-09-13"),
        ("day", "tomorrow"),
        ("day", ""),
        ("day", "2030-01-01' --"),
        ("-1", ""),
        ("999999999999", ""),
        ("NaN", ""),
    ],
)
def test_a_date_that_is_none_grants_nothing(
    term: str, day: str, hub: Hub, admin: Person, request_id: str
) -> None:
    assert answer(admin, request_id, term=term, day=day).status_code == 400
    assert "finance" not in groups(hub, MEMBER)
    assert request_id in ids(admin)


# -- by another site ---------------------------------------------------------------------------


@attack("cross-site request forgery", "XSRF token")
@pytest.mark.parametrize("token", [None, "", "x", "2|00000000|" + "0" * 64])
@pytest.mark.parametrize("origin", ["cross-site", "same-origin"])
def test_another_site_makes_nobody_ask_or_answer(
    token: str | None, origin: str, hub: Hub, admin: Person, member: Person, request_id: str
) -> None:
    headers = {"Sec-Fetch-Site": origin, "Sec-Fetch-Mode": "navigate"}
    forged = {} if token is None else {"_xsrf": token}
    granted = {**forged, "request": request_id, "answer": "grant"}
    asked = {**forged, "dashboard": "forged/x", "reason": "x"}
    withdrawn = {**forged, "request": request_id}
    assert admin.post("/hub/requests", data=granted, headers=headers).status_code == 403
    assert member.post("/hub/ask", data=asked, headers=headers).status_code == 403
    assert member.post("/hub/ask/withdraw", data=withdrawn, headers=headers).status_code == 403
    assert "finance" not in groups(hub, MEMBER)
    assert ids(admin, MEMBER) == [request_id]


@attack("cross-site request forgery", "GET changes nothing")
def test_a_link_asks_and_answers_nothing(hub: Hub, admin: Person, request_id: str) -> None:
    admin.get("/hub/requests", params={"request": request_id, "answer": "grant"})
    admin.get("/hub/ask", params={"dashboard": "a/b", "reason": "x"})
    assert "finance" not in groups(hub, MEMBER)
    assert request_id in ids(admin)


# -- what a form can carry ---------------------------------------------------------------------


@attack("stored cross-site scripting", "escaping on the pages of asking")
def test_no_text_becomes_html(hub: Hub, admin: Person, member: Person) -> None:
    page = ask(member, "<b>/<i>", SCRIPT)
    request = ids(admin, MEMBER)[-1]
    answered = answer(admin, request, "x", note=SCRIPT)
    declined = answer(admin, request, "decline", note=SCRIPT)
    refused = ask(member, "<b>/<i>", SCRIPT + "x" * 500)
    shown = [member.get("/hub/ask?dashboard=<b>/<i>"), member.get("/hub/ask")]
    for text in (page.text, answered.text, declined.text, refused.text, *(p.text for p in shown)):
        assert "<script>alert" not in text
        assert "<img" not in text
        assert "<b>/" not in text
        assert "<i>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in answered.text + refused.text


@attack("path traversal", "names that a dashboard can have")
@pytest.mark.parametrize(
    "dashboard",
    [
        "../x",
        "x/..",
        "x/../../etc",
        "/etc/passwd",
        "admin /hub",
        ".git/config",
        "a\\b/c",
        "a\x00/b",
        "x" * 300 + "/y",
        "lone",
    ],
)
def test_what_can_be_no_dashboard_is_not_asked_for(
    dashboard: str, admin: Person, member: Person
) -> None:
    assert ask(member, dashboard).status_code == 400
    assert not ids(admin, MEMBER)


@attack("look-alike names", "only folders that are there are granted")
@pytest.mark.parametrize(
    "dashboard", ["Admin/hub", "lab/x", "🙂/🙂", "finance/Money", "FINANCE/money"]
)
def test_what_only_looks_like_a_dashboard_is_never_granted(
    dashboard: str, hub: Hub, admin: Person, member: Person
) -> None:
    ask(member, dashboard)
    request = ids(admin, MEMBER)[-1]
    assert answer(admin, request).status_code in {403, 409}  # 403: it looks like one of rights
    assert groups(hub, MEMBER) == {"user"}
    answer(admin, request, "decline")


@attack("flooding", "most open requests")
def test_a_flood_ends_at_a_limit_and_does_not_lock_out_others(hub: Hub, admin: Person) -> None:
    flood, calm = joined(hub, "flood@acme.test"), joined(hub, "calm@acme.test")
    token = xsrf(flood)
    for number in range(access_requests.MOST + 5):
        sent = {"_xsrf": token, "dashboard": f"flood {number}/x", "reason": "x"}
        status = flood.post("/hub/ask", data=sent).status_code
    assert status == 429
    assert len(ids(admin, "flood@acme.test")) == access_requests.MOST
    assert ask(calm, "finance/money").ok


# -- whether something is there ------------------------------------------------------------------


@attack("enumeration", "asking looks nothing up")
def test_asking_does_not_tell_what_is_there(hub: Hub, member: Person) -> None:
    hidden, missing = "finance/money", "finanze/mousy"
    answers = []
    for name in (hidden, missing):
        page = member.get(f"/hub/ask?dashboard={name}")
        sent = ask(member, name)
        answers.append((page.status_code, same(page.text, name), sent.status_code, sent.url))
        assert "Withdraw" in sent.text
        withdraw_all(member)
    assert answers[0] == answers[1]


@attack("enumeration", "forbidden and missing are one answer")
def test_a_dashboard_that_is_not_shared_answers_like_one_that_is_not_there(
    member: Person,
) -> None:
    member.open_dashboards()
    pages = [
        (page.status_code, same(page.text, name))
        for name in ("finance/money", "finanze/mousy")
        for page in [member.get(f"/user/{MEMBER}/dashboards/{name}")]
    ]
    assert pages[0] == pages[1]


def same(page: str, name: str) -> str:
    """A page without the name that was asked for, and what is new in every page."""
    for word in (name.replace("/", "%2F"), name, *name.split("/")):
        page = page.replace(word, "…")
    return re.sub(r'name="_xsrf" value="[^"]*"', "", page)
