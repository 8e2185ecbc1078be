"""Two customers of one hub, each with people, a group and a folder, and a canary in all of them.

A canary is a word that stands nowhere but in what belongs to one tenant: one in its names, which an
answer may repeat when it was asked for, and one in its data, which nobody can ask for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import requests
from descope import AssociatedTenant
from nbformat import v4

from tests.hub import Hub
from tests.person import Person

ADMIN, MEMBER = "admin@acme.test", "member@acme.test"
PAGES = "application/jupyterhub-pagination+json"


@dataclass(frozen=True, kw_only=True)
class Company:
    """One customer: a Tenant Admin and a member, whose addresses hold the canary."""

    tenant: str
    canary: str
    secret: str

    @property
    def boss(self) -> str:
        return f"boss.{self.canary}@{self.tenant}.test"

    @property
    def member(self) -> str:
        return f"member.{self.canary}@{self.tenant}.test"

    @property
    def group(self) -> str:
        """A group that an admin of the hub made for this customer."""
        return f"{self.tenant}.{self.canary}"

    @property
    def dashboard(self) -> str:
        """The path of this customer's dashboard below a person's server."""
        return f"dashboards/{self.tenant}/{self.canary}"

    def plant(self, notebooks: Path) -> None:
        """Make the customer's folder, with a notebook and a file of data."""
        folder = notebooks / self.tenant
        folder.mkdir()
        title = f"# Figures of {self.secret}\n\nFor {self.secret} only."
        notebook = v4.new_notebook(
            cells=[v4.new_markdown_cell(title), v4.new_code_cell(f"'{self.secret}'")]
        )
        nbformat.write(notebook, folder / f"{self.canary}.ipynb")
        (folder / "data.csv").write_text(f"name\n{self.secret}\n")
        (notebooks / self.group).mkdir()
        nbformat.write(notebook, notebooks / self.group / "inner.ipynb")


GLOBEX = Company(tenant="globex", canary="kestrel7f3a", secret="zaffre8d0e")
INITECH = Company(tenant="initech", canary="lapwing91c2", secret="cerise4b6f")
COMPANIES = (GLOBEX, INITECH)


class Town:
    """A hub with both customers, and a browser for everybody who was asked for."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._people: dict[str, Person] = {}
        hub.project.mgmt.tenant.create("Initech", id="initech")
        for company in COMPANIES:
            company.plant(hub.notebooks)
            for email, roles in ((company.boss, ["Tenant Admin"]), (company.member, [])):
                hub.project.mgmt.user.create(
                    email,
                    email=email,
                    verified_email=True,
                    display_name=f"Name {company.secret}",
                    user_tenants=[AssociatedTenant(company.tenant, roles)],
                )
                self.person(email)
            made = self.ask(ADMIN, "POST", f"/groups/{company.group}", users=[company.member])
            assert made.status_code == 201, made.text

    def person(self, email: str) -> Person:
        """Somebody's browser, signed in."""
        if email not in self._people:
            self._people[email] = Person(self.hub)
            self._people[email].sign_in(email)
        return self._people[email]

    def ask(self, email: str, method: str, path: str, **body: Any) -> requests.Response:
        """Ask the hub's API as the scripts of its admin page do."""
        person = self.person(email)
        headers = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", "Accept": PAGES}
        return person.request(
            method,
            f"/hub/api{path}",
            headers=person.xsrf | headers,
            data=json.dumps(body) if body else None,
        )

    def groups_of(self, email: str) -> set[str]:
        return set(self.hub.api(f"/users/{email}").json()["groups"])
