"""What people do at `/hub/ask` and `/hub/requests`, for the tests that ask and answer."""

from __future__ import annotations

import re

import requests
from descope import AssociatedTenant

from tests.dashboards.notebooks import markdown, write_notebook
from tests.hub import Hub
from tests.person import Person


def add_dashboard(hub: Hub, group: str, name: str) -> None:
    """A dashboard, and so a folder that somebody may be let into."""
    write_notebook(hub.notebooks / group / f"{name}.ipynb", markdown(f"# {name}"))


def add_person(hub: Hub, email: str) -> None:
    """Somebody more at the provider, a member of the tenant that owns the hub."""
    tenants = [AssociatedTenant("acme")]
    hub.project.mgmt.user.create(email, email=email, verified_email=True, user_tenants=tenants)


def give(hub: Hub, group: str, *people: str) -> None:
    """Put people into a group with all rights of the hub."""
    hub.api(f"/groups/{group}", "POST")  # 409, if it is there
    assert hub.api(f"/groups/{group}/users", "POST", json={"users": people}).ok


def take(hub: Hub, group: str, *people: str) -> None:
    assert hub.api(f"/groups/{group}/users", "DELETE", json={"users": people}).ok


def groups(hub: Hub, name: str) -> set[str]:
    return set(hub.api(f"/users/{name}").json()["groups"])


def xsrf(person: Person) -> str:
    """The token that this browser's forms carry."""
    return person.xsrf["X-XSRFToken"]


def ask(
    person: Person, dashboard: str, reason: str = "For the board", **fields: str
) -> requests.Response:
    """Press "Ask"; returns the page that follows."""
    sent = {"_xsrf": xsrf(person), "dashboard": dashboard, "reason": reason, **fields}
    return person.post("/hub/ask", data=sent)


def ids(manager: Person, asker: str = "") -> list[str]:
    """The requests on a manager's page, or those of one person."""
    page = manager.get("/hub/requests").text
    found = re.findall(r'<h2 id="who-(\d+)">([^<]+)</h2>', page)
    return [number for number, name in found if asker in ("", name)]


def answer(
    manager: Person, request: str, answer: str = "grant", **fields: str
) -> requests.Response:
    """Press "Grant" or "Decline"; returns the page that follows."""
    sent = {"_xsrf": xsrf(manager), "request": request, "answer": answer, **fields}
    return manager.post("/hub/requests", data=sent)
