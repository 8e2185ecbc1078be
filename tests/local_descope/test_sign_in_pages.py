"""Signing in by a link, as the person in front of the pages meets it."""

from __future__ import annotations

import json
import re
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.local_descope.conftest import StartStandIn
from tests.local_descope.stand_in import EXPORT, PREFIX, Browser, Client, StandIn, query_of

pytestmark = pytest.mark.long


def new_address() -> str:
    return f"p{uuid.uuid4().hex[:12]}@example.test"


@pytest.mark.parametrize(
    "typed", ["nobody", "a@b", "a b@example.test", "a@example.test\nx@y.test", "<b>@example.test"]
)
def test_a_bad_address_is_said_on_the_page(browser: Browser, client: Client, typed: str) -> None:
    page = browser.ask_for_link(client, typed)
    assert "does not look like an e-mail address" in page.text
    assert "<b>@" not in page.text
    assert "Send me a link" in page.text


def test_an_empty_address_is_asked_for(browser: Browser, client: Client) -> None:
    assert "Please fill this in" in browser.ask_for_link(client, "").text


def test_known_and_unknown_addresses_get_the_same_answer(stand_in: StandIn, client: Client) -> None:
    answers = []
    for email in ("member@acme.test", "nobody@acme.test"):
        with Browser(stand_in) as browser:
            page = browser.ask_for_link(client, email)
        text = re.sub(r'(name="form_token" value=|data-poll=)"[^"]*"', "", page.text)
        answers.append((page.status_code, text.replace("m*****", "*").replace("n*****", "*")))
        assert email not in page.text
    assert answers[0] == answers[1]


def test_who_is_new_is_asked_for_a_name_once(browser: Browser, client: Client) -> None:
    email = new_address()
    browser.ask_for_link(client, email)
    question = browser.open(browser.mailed_links(email)[0])
    assert "How should you be called here?" in question.text
    assert "Please fill this in" in browser.press(question, "Go on", fullName=" ").text
    answer = browser.press(question, "Go on", fullName="<b>Ann</b>  \x07Bee")
    tokens = client.finish(answer)
    claims = client.claims(tokens)
    assert (claims["email"], claims["name"]) == (email, "<b>Ann</b> Bee")
    assert claims["tenants"] == {}
    accounts = browser.open(f"{client.stand_in.url}/").text
    assert "&lt;b&gt;Ann&lt;/b&gt; Bee" in accounts
    assert "<b>Ann" not in accounts
    again = browser.sign_in(client, email, prompt="login")
    assert "code" in query_of(again)


def test_the_first_tab_says_that_the_other_goes_on(browser: Browser, client: Client) -> None:
    email = new_address()
    waiting = browser.ask_for_link(client, email)
    assert "p*****@example.test" in waiting.text
    assert email not in waiting.text
    answer = browser.get(f"{waiting.url}/poll")
    assert answer.json() == {"done": False}
    assert "Set-Cookie" not in answer.headers  # it could overtake that of the other tab
    question = browser.open(browser.mailed_links(email)[0])
    assert browser.get(f"{waiting.url}/poll").json() == {"done": False}
    browser.press(question, "Go on", fullName="Ann")
    assert browser.get(f"{waiting.url}/poll").json() == {"done": True}
    assert "You are signed in in the other tab" in browser.open(waiting.url).text


def test_a_link_opened_in_another_browser_signs_in_there(
    stand_in: StandIn, browser: Browser, client: Client
) -> None:
    waiting = browser.ask_for_link(client, "member@acme.test")
    with Browser(stand_in) as other:
        answer = other.open(other.mailed_links("member@acme.test")[0])
        assert query_of(answer)["state"] == client.state
        assert "Location" in other.open(client.begin()).headers
        assert other.open(waiting.url).status_code == 410
    assert "Send me a link" in browser.open(client.begin()).text
    assert "You are signed in in the other tab" in browser.open(waiting.url).text


def test_a_link_works_once(browser: Browser, client: Client) -> None:
    browser.ask_for_link(client, "member@acme.test")
    link = browser.mailed_links("member@acme.test")[0]
    assert browser.head(link).status_code == 200
    assert "code" in query_of(browser.open(link))
    spent = browser.open(link)
    assert (spent.status_code, "This link has been used" in spent.text) == (400, True)
    assert f'href="{client.stand_in.origin}/"' in spent.text
    assert link not in browser.mailed_links("member@acme.test")


def test_a_link_opened_many_times_at_once_works_once(
    stand_in: StandIn, browser: Browser, client: Client
) -> None:
    browser.ask_for_link(client, "member@acme.test")
    link = browser.mailed_links("member@acme.test")[0]

    def open_it(_: int) -> int:
        with Browser(stand_in) as other:
            return other.open(link).status_code

    with ThreadPoolExecutor(8) as threads:
        statuses = sorted(threads.map(open_it, range(8)))
    assert statuses == [302] + [400] * 7


def test_many_people_sign_in_at_once(stand_in: StandIn) -> None:
    def sign_in(number: int) -> str:
        client = Client(stand_in)
        with Browser(stand_in) as browser, client.session:
            email = new_address()
            browser.ask_for_link(client, email)
            question = browser.open(browser.mailed_links(email)[0])
            answer = browser.press(question, "Go on", fullName=f"Person {number}")
            return client.claims(client.finish(answer))["name"]

    with ThreadPoolExecutor(8) as threads:
        names = set(threads.map(sign_in, range(8)))
    assert names == {f"Person {number}" for number in range(8)}


def test_a_link_works_for_a_limited_time(
    stand_in: StandIn, browser: Browser, client: Client
) -> None:
    email = new_address()
    browser.ask_for_link(client, email)
    link = browser.mailed_links(email)[0]
    stand_in.sql("UPDATE links SET expires_at = expires_at - 601 WHERE email = ?", email)
    assert "This link is too old" in browser.open(link).text


def test_an_unknown_link_is_refused(stand_in: StandIn, browser: Browser) -> None:
    for token in ("", "x", "%00", "é" * 500):
        page = browser.open(f"{stand_in.url}/login/link?t={token}")
        assert page.status_code == 400
        assert "This link is not known here" in page.text


def test_a_resend_leaves_earlier_links_good(browser: Browser, client: Client) -> None:
    email = new_address()
    waiting = browser.ask_for_link(client, email)
    browser.press(waiting, "Send it again")
    links = browser.mailed_links(email)
    assert len(links) == 2
    for link in links:
        assert "How should you be called here?" in browser.open(link).text or link == links[1]


def test_another_address_can_be_typed(browser: Browser, client: Client) -> None:
    waiting = browser.ask_for_link(client, new_address())
    assert "Send me a link" in browser.press(waiting, "Use another address").text


def test_mails_to_one_address_are_limited(start_stand_in: StartStandIn) -> None:
    stand_in = start_stand_in(LOCAL_DESCOPE_MAIL_LIMIT="2")
    client, browser = Client(stand_in), Browser(stand_in)
    waiting = browser.ask_for_link(client, "a@example.test")
    browser.press(waiting, "Send it again")
    refused = browser.press(waiting, "Send it again")
    assert "sent many links already" in refused.text
    assert len(browser.mailed_links("a@example.test")) == 2
    assert "sent many links already" in browser.ask_for_link(client, "a@example.test").text
    assert "We sent a link" in browser.ask_for_link(client, "b@example.test").text
    client.session.close()
    browser.close()


@pytest.mark.parametrize("token", ["", "x", "é"])
def test_a_form_without_its_token_does_nothing(
    browser: Browser, client: Client, token: str
) -> None:
    page, email = browser.open(client.begin()), new_address()
    sent = {"task": "0", "interaction": "atrSendLnk", "email": email}
    answer = browser.open(page.url, form_token=token, **sent)
    assert (answer.status_code, "out of date" in answer.text) == (400, True)
    assert browser.mailed_links(email) == []


def test_a_run_belongs_to_its_browser(stand_in: StandIn, browser: Browser, client: Client) -> None:
    page = browser.open(client.begin())
    with Browser(stand_in) as other:
        own = other.open(Client(stand_in).begin())
        token = re.findall(r'name="form_token" value="([^"]+)"', own.text)[0]
        answer = other.open(page.url, form_token=token, task="0", interaction="atrSendLnk")
        assert answer.status_code == 410


def test_a_button_that_is_not_there_leads_nowhere(browser: Browser, client: Client) -> None:
    page = browser.open(client.begin())
    token = re.findall(r'name="form_token" value="([^"]+)"', page.text)[0]
    answer = browser.open(page.url, form_token=token, task="0", interaction="polling")
    assert answer.status_code == 400
    assert "This step leads nowhere" in answer.text


def test_a_finished_sign_in_gives_no_second_code(browser: Browser, client: Client) -> None:
    email = new_address()
    browser.ask_for_link(client, email)
    question = browser.open(browser.mailed_links(email)[0])
    assert "code" in query_of(browser.press(question, "Go on", fullName="Ann"))
    again = browser.press(question, "Go on", fullName="Eve")
    assert "Location" not in again.headers
    assert "You are signed in" in again.text


def test_every_page_says_what_it_is(stand_in: StandIn, browser: Browser, client: Client) -> None:
    email = new_address()
    pages = [browser.open(client.begin()), browser.ask_for_link(client, email)]
    pages += [browser.open(browser.mailed_links(email)[0])]
    pages += [browser.open(f"{stand_in.url}{path}") for path in ("/", "/outbox", "/nothing")]
    for page in pages:
        assert "ocal stand-in for Descope" in page.text, page.url
        assert "no mail is sent" in page.text, page.url
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["Content-Security-Policy"].startswith("default-src 'self'")
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert "<script>" not in page.text
        assert not re.search(r'(src|href)="(https?:)?//(?!127\.0\.0\.1)', page.text)


def test_the_cookie_is_for_the_stand_in_alone(browser: Browser, client: Client) -> None:
    browser.open(client.begin())
    cookie = next(iter(browser.cookies))
    assert cookie.path == PREFIX
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "Lax"


def test_the_log_tells_no_secrets(stand_in: StandIn, browser: Browser, client: Client) -> None:
    answer = browser.sign_in(client, "admin@acme.test")
    tokens = client.finish(answer)
    told = stand_in.log
    secrets = [tokens["access_token"], tokens["refresh_token"], tokens["id_token"]]
    for secret in [*secrets, query_of(answer)["code"], "the-client-secret", "admin@acme.test"]:
        assert secret not in told


def test_a_link_of_somebody_else_ends_nothing_of_who_was_signed_in(
    browser: Browser, client: Client
) -> None:
    mine = client.finish(browser.sign_in(client, "admin@acme.test"))
    browser.sign_in(client, "member@acme.test", prompt="login")
    assert client.userinfo(client.refresh(mine)).json()["email"] == "admin@acme.test"


def test_a_flow_may_begin_at_a_companys_provider(stand_in: StandIn, client: Client) -> None:
    told = stand_in.project.mgmt.flow.export_flow("sign-up-or-in")
    flow = json.loads(json.dumps(told["flow"]))
    flow["dsl"]["tasks"]["start"]["next"]["rules"] = [{"taskId": "9"}]
    stand_in.project.mgmt.flow.import_flow("sso-first", flow, told["screens"])
    with Browser(stand_in) as browser:
        unknown = browser.open(client.begin(flow="sso-first"))
        assert (unknown.status_code, "No single sign-on" in unknown.text) == (400, True)
        page = browser.open(client.begin(flow="sso-first", tenant="globex"))
        assert "Globex, played locally" in page.text
        run = page.url.rpartition("/")[2]
        assert browser.open(f"{stand_in.url}/login/flow/{run}").status_code == 410
        token = browser.forms(page).fields["form_token"]
        answer = browser.open(page.url, email="member@globex.test", form_token=token)
        assert client.claims(client.finish(answer))["amr"] == ["fed"]
    stand_in.project.mgmt.flow.delete_flows(["sso-first"])


@pytest.mark.skipif(not EXPORT.exists(), reason="the real export is not on this machine")
def test_a_real_export_runs_as_it_is(start_stand_in: StartStandIn) -> None:
    stand_in = start_stand_in(LOCAL_DESCOPE_FLOW=str(EXPORT))
    client, email = Client(stand_in), "new@example.test"
    with Browser(stand_in) as browser, client.session:
        sent = browser.press(browser.open(client.begin()), "Send Magic Link", email=email)
        assert "n*****@example.test" in sent.text
        back = browser.press(sent, "Choose another authentication method")
        assert "Send Magic Link" in back.text
        sent = browser.press(back, "Send Magic Link", email=email)
        browser.press(sent, "Send again")
        first, second, third = browser.mailed_links(email)
        question = browser.open(third)
        assert "please provide the following information" in question.text
        claims = client.claims(client.finish(browser.press(question, "Submit", fullName="Neo")))
        assert (claims["name"], claims["amr"]) == ("Neo", ["email"])
        assert "you can close this window now" in browser.open(sent.url).text
        known = browser.open(second)
        assert client.state in known.headers["Location"]
        assert first != second
        for button, email, method in (
            ("Continue with Google", "admin@acme.test", "oauth"),
            ("Continue with SSO", "member@globex.test", "fed"),
        ):
            page = browser.open(client.begin(prompt="login"))
            page = browser.press(page, button, email=email)
            token = browser.forms(page).fields["form_token"]
            answer = browser.open(page.url, email=email, form_token=token)
            assert client.claims(client.finish(answer))["amr"] == [method]
