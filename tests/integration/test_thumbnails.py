"""Pictures on cards: made beside what people do, for those who see the folder and nobody else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_extensions.pictures import is_picture
from tests import machine
from tests.dashboards.notebooks import code, write_notebook
from tests.hub import Hub, wait_until
from tests.integration.test_accounts import can_read
from tests.integration.test_compiled_notebooks import Known, page, signed_in
from tests.machine import server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(machine.why_not()), reason=machine.why_not()),
]

DOES_NOT_RUN = "It did not run when it was tried last"
ANALYST, MEMBER = "analyst@acme.test", "member@acme.test"
PLOT = """
import panel as pn
from bokeh.plotting import figure
plot = figure(height=300)
plot.line([1, 2, 3], {})
pn.pane.Bokeh(plot).servable()
"""
MINE = """
import panel as pn
from bokeh.plotting import figure
from dashboards import current_user
try:
    name = current_user().name
except Exception:
    name = "somebody"
plot = figure(title=name)
plot.line([1, 2], [1, 2])
pn.pane.Bokeh(plot).servable()
"""
#: Looks for what is not for it; the type of its error, which is in the hub's log, says how it went.
TRIES = """
import os
from pathlib import Path
def outcome(attempt):
    try:
        return f"got {attempt()}"
    except OSError:
        return "refused"
place = Path.cwd().parent
state = Path(os.environ["HOME"]).parents[1]
found = [
    outcome(lambda: os.listdir(place / "finance")),
    outcome(lambda: os.listdir(state / "secrets")),
    outcome(lambda: os.listdir(state / "shared" / "finance")),
    outcome(lambda: os.listdir(state / "people")),
    outcome(lambda: Path("new").write_text("x")),
]
names = [name for name in os.environ if "TOKEN" in name or "JUPYTER" in name or "KEY" in name]
class AsItShould(Exception): pass
own = Path("beside.csv").read_text() == "and its own data" and os.getuid() > 600_000
well = own and found == ["refused"] * 5 and not names
raise (AsItShould if well else ValueError)(f"\x1bCANARY {found} {names} {own}")
"""


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with machine.hub_of(0, ATRIUM_THUMBNAILS="on") as hub:
        for path in (hub.notebooks / "user").glob("*.ipynb"):
            path.unlink()  # they take longer
        write_notebook(hub.notebooks / "user" / "line.ipynb", code(PLOT.format([1, 3, 2])))
        write_notebook(hub.notebooks / "user" / "mine.ipynb", code(MINE))
        write_notebook(hub.notebooks / "user" / "tries.ipynb", code(TRIES))
        (hub.notebooks / "user" / "beside.csv").write_text("and its own data")
        write_notebook(hub.notebooks / "finance" / "money.ipynb", code(PLOT.format([1, 2, 3])))
        hub.start()
        hub.api("/groups/finance", "POST")
        yield hub


@pytest.fixture(scope="module")
def member(hub: Hub) -> Known:
    return signed_in(hub, MEMBER)


@pytest.fixture(scope="module")
def analyst(hub: Hub, member: Known) -> Known:
    analyst = signed_in(hub, ANALYST)
    assert hub.api("/groups/finance/users", "POST", json={"users": [ANALYST]}).ok
    wait_until(lambda: "money" in gallery(analyst), "the folder in the gallery")
    page(analyst, "money", "finance")
    return analyst


def gallery(person: Known) -> str:
    return person.get(f"/user/{person.name}/?all").text


def pictures(hub: Hub, group: str = "user") -> set[Path]:
    return set((hub.state / "shared" / group).glob("picture-*"))


def address_of(person: Known, name: str, group: str = "user") -> str:
    """Of the light picture on a card, once it is there."""

    def found() -> str:
        shown = re.search(rf'src="(\S*/thumbnails/{group}/{name}/\w+-light.png)"', gallery(person))
        return shown[1] if shown else ""

    return wait_until(found, f"a picture of {name}", seconds=60)


def test_a_card_shows_what_its_dashboard_looks_like(hub: Hub, member: Known) -> None:
    address = address_of(member, "line")
    light = member.get(address)
    dark = member.get(address.replace("-light", "-dark"))
    for answer in (light, dark):
        assert answer.status_code == 200
        assert is_picture(answer.content)
        assert answer.headers["Content-Type"] == "image/png"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"].startswith("private, max-age=")
    assert light.content != dark.content


def test_a_trial_reads_its_folder_and_no_more_and_draws_nothing_for_a_viewer(
    hub: Hub, member: Known
) -> None:
    gallery(member)
    wait_until(lambda: "tries.ipynb: cell 1, " in hub.log_text(), "a trial", seconds=60)
    assert "tries.ipynb: cell 1, AsItShould" in hub.log_text()
    assert "\x1b" not in hub.log_text()
    assert "CANARY" not in hub.log_text()
    assert not list((hub.state / "people").glob("trial*"))
    assert MEMBER in page(member, "mine")  # they were tried in turn: it came before
    assert "thumbnails/user/mine" not in gallery(member)
    assert len(pictures(hub)) == 2


def test_those_who_could_mend_it_see_on_the_card_that_it_does_not_run(
    hub: Hub, member: Known, analyst: Known
) -> None:
    write_notebook(hub.notebooks / "finance" / "broken.ipynb", code("1 / 0"))
    page(analyst, "broken", "finance")
    tried = "broken.ipynb: cell 1, ZeroDivisionError"
    wait_until(lambda: tried in hub.log_text(), "its trial", seconds=60)
    assert DOES_NOT_RUN not in gallery(analyst) + gallery(member)  # who cannot mend it
    hub.api("/groups/finance.publish", "POST")
    assert hub.api("/groups/finance.publish/users", "POST", json={"users": [ANALYST]}).ok
    said = "Cell 1 fails with ZeroDivisionError: division by zero"
    wait_until(lambda: f"{DOES_NOT_RUN}: {said}" in gallery(analyst), "the line on its card")
    assert "AsItShould" not in gallery(analyst)  # which is in a folder that is not theirs
    write_notebook(hub.notebooks / "finance" / "broken.ipynb", code("'it runs'"))
    wait_until(lambda: DOES_NOT_RUN not in gallery(analyst), "the line to go")


def test_only_those_who_see_the_folder_get_its_pictures(
    hub: Hub, member: Known, analyst: Known
) -> None:
    address = address_of(analyst, "money", "finance")
    assert analyst.get(address).status_code == 200
    mine = address.replace(ANALYST, MEMBER)
    missing = member.get(f"/user/{MEMBER}/thumbnails/user/no/{'0' * 64}-light.png")
    forbidden = member.get(mine)
    assert (forbidden.status_code, missing.status_code) == (404, 404)
    assert forbidden.text == missing.text
    assert forbidden.headers["Cache-Control"] == "no-store"
    assert member.get(address).status_code == 403
    stranger = Known(hub)
    assert stranger.get(address, headers={"Sec-Fetch-Mode": "no-cors"}).status_code in {403, 503}
    place = hub.state / "shared" / "finance"
    assert can_read(server(hub, ANALYST), place)
    assert not can_read(server(hub, MEMBER), place)
    assert "thumbnails/finance" not in gallery(member)
    assert hub.api("/groups/finance/users", "DELETE", json={"users": [ANALYST]}).ok
    wait_until(lambda: analyst.get(address).status_code == 404, "the loss of the picture")


def test_it_is_made_anew_when_the_notebook_changes_and_goes_with_it(
    hub: Hub, member: Known
) -> None:
    first = address_of(member, "line")
    path = write_notebook(hub.notebooks / "user" / "line.ipynb", code(PLOT.format([5, 1, 2])))
    assert member.get(first).status_code == 404  # at once
    page(member, "line")
    second = address_of(member, "line")
    assert first != second
    assert len(pictures(hub)) == 2
    path.unlink()
    assert member.get(second).status_code == 404
    page(member, "mine")
    wait_until(lambda: not pictures(hub), "the end of its pictures")
