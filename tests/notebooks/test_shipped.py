from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

from dashboards.admin_page import table
from dashboards.running.cells import content_of, leaves_address_to_us
from tests.notebooks.shipped import NOTEBOOKS, cells, named, names_of, run

ids = [f"{path.parent.name}/{path.stem}" for path in NOTEBOOKS]
each_notebook = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=ids)


def test_three_folders_come_with_the_project() -> None:
    assert ids == [
        "admin/access",
        "admin/audit",
        "admin/health",
        "admin/speed",
        "admin/the_hub",
        "admin/usage",
        "admin/who_am_i",
        "customers/your_orders",
        "user/penguins",
        "user/sensor_explorer",
    ]


@each_notebook
def test_is_clean(notebook: Path) -> None:
    content = nbformat.read(notebook, as_version=nbformat.NO_CONVERT)
    nbformat.validate(content)
    assert (content.nbformat, content.nbformat_minor) == (4, 5)
    for cell in content.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@each_notebook
def test_begins_with_its_title_and_what_it_is(notebook: Path) -> None:
    first = cells(notebook)[0]
    title, nothing, description = "".join(first["source"]).split("\n")
    assert first["cell_type"] == "markdown"
    assert title.startswith("# ")
    assert nothing == ""
    assert description.endswith(".")


@pytest.mark.long
@each_notebook
def test_runs_in_a_fresh_process(notebook: Path) -> None:
    assert run(notebook, then="print('done')").strip() == "done"


@pytest.mark.long
def test_view_of_the_hub_says_what_is_wrong_then_what_is_there() -> None:
    hub = named("the_hub")
    said = run(
        hub,
        then="""
asyncio.run(refresh())
print(message.object, overview.visible)
now = datetime.now(UTC)
name = "<i>eve</i>@acme.test"
server = dict(user=name, ready=True, started=now, last_activity=None, url="")
hub_data.users = lambda: [
    hub_data.HubUser(
        name=name, groups=("user",), is_hub_admin=False, created=now, last_activity=None
    )
]
hub_data.groups = lambda: [hub_data.HubGroup(name="user", users=(name,))]
hub_data.servers = lambda: [
    hub_data.HubServer(name="", memory_mb=100.4, **server),
    hub_data.HubServer(name="admin", memory_mb=50.4, **server),
]
asyncio.run(refresh())
print(figures["Memory"].object, servers_now.object, people_now.object, groups_now.object)
print(message.visible, overview.visible)
""",
    )
    assert said.startswith("Only dashboards in the admin folder may see this. False\n")
    assert "<b>151 MB</b>" in said
    assert "<i>" not in said
    assert "&lt;i&gt;eve" in said
    assert "Admin dashboards" in said
    assert said.endswith("False True\n")


@pytest.mark.long
def test_who_am_i_takes_claims_of_any_shape() -> None:
    who = named("who_am_i")
    said = run(
        who,
        then="""
print(list_of(None, "roles"), list_of({"roles": None}, "roles"), list_of({"roles": ["A"]}, "roles"))
print(labelled("Roles", ["<b>x</b>"], "none"))
""",
    )
    assert said.startswith("[] [] ['A']\n")
    assert "&lt;b&gt;x" in said


def test_whom_an_admin_looks_at_does_not_stand_in_the_address() -> None:
    """Nobody's e-mail in a link; and who can be chosen is not known yet when the page is made."""
    access = named("access")
    assert not leaves_address_to_us(content_of(access))


@pytest.mark.long
def test_health_says_what_is_wrong() -> None:
    health = named("health")
    said = run(
        health,
        then="""
asyncio.run(refresh())
print(message.object, overview.visible)
well = dict(
    up=7200, signed_in=3, servers=dict(ready=1, labs=0, starting=0, killed=0, open_dashboards=2),
    queue=dict(waiting=0, starting=0, at_once=4), notice="", provider_away=None,
    machine=dict(memory=8e9, available=4e9, load=0.5, cores=2), template="ready",
    template_memory=250e6, database="sqlite", database_size=2e6, disks=(), failures=(),
)
print(problems(health_data.Health(**well)))
disk = health_data.Disk(of=("state", "notebooks"), free=1e9, size=100e9)
ill = well | dict(
    notice="It is away.", queue=dict(waiting=2), template="starting", disks=(disk,),
    servers=well["servers"] | dict(killed=1), machine=well["machine"] | dict(available=1e6),
    provider_away=90, template_memory=None, database_size=None,
)
print(len(problems(health_data.Health(**ill))))
health_data.health = lambda reference: health_data.Health(**ill)
hub_data.servers = lambda: []
asyncio.run(refresh())
print(machine_now.object, servers_now.object, failures_now.object, wrong.visible)
""",
    )
    assert said.startswith("Only dashboards in the admin folder may see this. False\n[]\n6\n")
    assert "away for 1 minute" in said
    assert "1.0 GB of 100.0 GB" in said
    assert "No server runs." in said
    assert said.endswith("True\n")


@pytest.mark.long
@pytest.mark.parametrize("stem", ["usage", "speed"])
def test_what_nobody_has_opened_is_said_in_words(stem: str) -> None:
    notebook = named(stem)
    said = run(
        notebook,
        then="""
asyncio.run(refresh())
print(message.object, overview.visible)
usage_data.usage = lambda *by, **only: []
usage_data.cards = dict
asyncio.run(refresh())
print(message.visible, overview.visible)
""",
    )
    assert said.endswith("Only dashboards in the admin folder may see this. False\nFalse True\n")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", ["ann", "bob"]),
        ("ANN", ["ann"]),
        ("r&d b", ["bob"]),
        ("finance bob", ["bob"]),
        ("removed", ["bob"]),
        *((word, []) for word in ("span", "soft", "class", "amp", "<", "7")),
    ],
)
def test_the_search_of_usage_looks_at_words_and_not_at_html(words: str, found: list[str]) -> None:
    names = names_of(named("usage"), "imports", "asking", "words")
    counted = [
        SimpleNamespace(user="ann", group="user", dashboard="plans", openings=7),
        SimpleNamespace(user="bob", group="finance", dashboard="r&d", openings=7),
    ]
    cards = {("user", "plans"): SimpleNamespace(title="Plans")}
    rows = names["person_rows"](counted, cards, words.lower().split())
    assert [row[0] for row in rows] == found


def test_a_table_that_nothing_searches_does_not_speak_of_a_search() -> None:
    assert "And 80 more.</p>" in table(("X",), [("x",)] * 100, "")
