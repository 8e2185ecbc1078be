"""Class: path tricks. No spelling of an address opens what its plain form does not."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

import pytest

from tests.attacks import attack
from tests.hub import Hub, wait_until
from tests.person import Person

ADMIN, MEMBER = "admin@acme.test", "member@acme.test"


@pytest.fixture(scope="module")
def member(hub: Hub) -> Person:
    person = Person(hub)
    person.sign_in(MEMBER)
    person.open_dashboards()
    return person


@pytest.fixture(scope="module")
def admin(hub: Hub) -> Person:
    person = Person(hub)
    person.sign_in(ADMIN)
    person.open_dashboards()
    return person


def raw(person: Person, path: str) -> tuple[int, str]:
    """The answer to a path as it is: `requests` would tidy it up."""
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in person.cookies)
    connection = http.client.HTTPConnection(urlsplit(person.hub.url).netloc, timeout=20)
    try:
        connection.putrequest("GET", path, skip_accept_encoding=True)
        connection.putheader("Cookie", cookies)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()


def is_served(person: Person) -> None:
    """The server and the hub answer as before."""
    wait_until(lambda: person.get(f"/user/{person.cookies_name()}/?all").ok, "the gallery")


#: Ways to write "the admin folder's notebook", for somebody who may not open it.
SPELLINGS = {
    "plain": "{own}admin/hub",
    "dots": "{own}user/../admin/hub",
    "encoded dots": "{own}user/%2e%2e/admin/hub",
    "double-encoded dots": "{own}user/%252e%252e/admin/hub",
    "encoded slash": "{own}user%2f..%2fadmin%2fhub",
    "null": "{own}admin/hub%00",
    "backslash": "{own}user\\..\\admin\\hub",
    "case": "{own}Admin/Hub",
    "semicolon": "{own}user/..;/admin/hub",
    "overlong": "{own}user/%c0%ae%c0%ae/admin/hub",
}


@attack("path traversal", "dashboards are found by name among one's own")
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_dashboard_of_another_group_stays_shut(spelling: str, member: Person) -> None:
    status, text = raw(member, SPELLINGS[spelling].format(own=f"/user/{MEMBER}/"))
    # 500: the proxy itself refuses what is no UTF-8
    assert status in {400, 404, *([500] if spelling == "overlong" else [])}, text
    if status == 404:
        assert "not shared with you" in text
    assert "People and servers" not in text


FILES = {
    "dots": "../../../../etc/passwd",
    "encoded": "%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "double-encoded": "%252e%252e/%252e%252e/etc/passwd",
    "encoded slashes": "..%2f..%2f..%2f..%2fetc%2fpasswd",
    "null": "atrium.css%00../../../etc/passwd",
    "backslashes": "..\\..\\..\\..\\etc\\passwd",
    "semicolons": "..;/..;/..;/etc/passwd",
    "overlong": "%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd",
    "absolute": "/etc/passwd",
    "long": "a/" * 3000 + "etc/passwd",
}
ROOTS = {
    "hub look": "/hub/atrium/",
    "hub sheets": "/hub/look/",
    "hub static": "/hub/static/",
    "own files": f"/user/{MEMBER}/static/atrium/",
    "package files": f"/user/{MEMBER}/static/extensions/",
    "everybody's files": "/services/files/static/",
    "everybody's package files": "/services/files/static/extensions/panel/",
    "own server": f"/user/{MEMBER}/",
}


@pytest.mark.parametrize(
    "root",
    [
        pytest.param(root, marks=attack("path traversal", f"files of {root} are found below it"))
        for root in ROOTS
    ],
)
@pytest.mark.parametrize("trick", FILES)
def test_no_file_of_the_machine_is_served(trick: str, root: str, member: Person) -> None:
    status, text = raw(member, ROOTS[root] + FILES[trick])
    # 500: the proxy itself refuses what is no UTF-8
    assert status in {302, 400, 403, 404, 414, 431, *([500] if trick == "overlong" else [])}
    assert "root:" not in text


OTHERS = {
    "plain": "/user/{other}/?all",
    "hub dots": "/user/{mine}/../{other}/?all",
    "encoded dots": "/user/{mine}/%2e%2e/{other}/?all",
    "double-encoded": "/user/{mine}/%252e%252e/{other}/?all",
    "encoded slash": "/user/{mine}%2f..%2f{other}/?all",
    "case": "/user/{upper}/?all",
    "encoded at": "/user/admin%40acme.test/?all",
    "null": "/user/{other}%00/?all",
    "backslash": "/user/{mine}\\..\\{other}/?all",
    "semicolon": "/user/{mine}/..;/{other}/?all",
}


@attack("path traversal", "addresses of servers are compared whole")
@pytest.mark.parametrize("trick", OTHERS)
def test_another_persons_server_stays_shut(trick: str, member: Person, admin: Person) -> None:
    path = OTHERS[trick].format(mine=MEMBER, other=ADMIN, upper=ADMIN.upper())
    status, text = raw(member, path)
    assert status in {302, 400, 403, 404}, text[:300]
    assert "The hub" not in text
    assert ADMIN not in text.replace("admin%40acme.test", "")


HUB_PAGES = {
    "admin page, case": "/hub/Admin",
    "admin page, slash": "/hub//admin",
    "admin page, dots": "/hub/home/../admin",
    "admin page, encoded": "/hub/%61dmin",
    "admin page, null": "/hub/admin%00",
    "sessions": "/hub/sessions",
    "sessions, slash": "/hub/sessions/",
    "sessions, encoded": "/hub/%73essions",
    "people by API": "/hub/api/users",
    "people by API, encoded": "/hub/api/%75sers",
}


@attack("path traversal", "scopes of the hub's pages")
@pytest.mark.parametrize("trick", HUB_PAGES)
def test_an_admins_page_stays_shut(trick: str, member: Person, admin: Person) -> None:
    status, text = raw(member, HUB_PAGES[trick])
    assert status in {302, 400, 403, 404}, text[:300]
    assert ADMIN not in text


def test_everything_goes_on_after_that(member: Person, admin: Person) -> None:
    is_served(member)
    is_served(admin)
