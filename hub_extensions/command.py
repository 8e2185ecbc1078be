"""The command line `atrium`: what an operator asks of a hub, or does to it, beside its pages.

It reads settings and the hub's database itself, so it works while the hub runs or does not.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jupyterhub import orm
from sqlalchemy import create_engine, inspect, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from . import grants, settings
from .access import report as access_report
from .access.forget import forget
from .access.report import Person
from .command_line import CommandError, say
from .notebook_files import Notebook, meant, notebooks_in
from .publishing import command as publish

CONFIGURATION: Final = "jupyterhub_config.py"
#: So many names are listed where several match.
_MOST_NAMES: Final = 10


@dataclass(frozen=True, kw_only=True)
class OpenHub:
    """A hub as a command has it in hand: its settings, and a session on its database."""

    settings: settings.Settings
    db: Session


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status, 2 with a sentence on standard error if it fails."""
    given = _parser().parse_args(arguments)
    try:
        if given.is_far:  # from any machine, by the hub's API
            return given.run(given)
        with open_hub(Path.cwd()) as hub:
            return given.run(hub, given)
    except (CommandError, settings.SettingsError) as error:
        say(f"atrium: {error.sentence}", error=True)
    except SQLAlchemyError as error:
        say(f"atrium: the hub's database does not answer ({type(error).__name__})", error=True)
    except KeyboardInterrupt:
        say("atrium: stopped", error=True)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="atrium",
        description="Ask about the hub whose configuration lies in this folder, or publish to any.",
    )
    parser.set_defaults(is_far=False)
    parts = parser.add_subparsers(metavar="PART", required=True)
    publish.add_to(parts)
    access = parts.add_parser("access", help="who may see what").add_subparsers(
        metavar="COMMAND", required=True
    )
    explain = access.add_parser(
        "explain",
        help="why somebody sees a dashboard or not",
        description="Exit status: 0 if they see it, 1 if not, 2 if that cannot be said.",
    )
    explain.add_argument("user", metavar="USER", help="a person's name: their e-mail address")
    explain.add_argument(
        "dashboard",
        metavar="DASHBOARD",
        nargs="?",
        help="group/notebook, or a link to it; without it: all that they see",
    )
    explain.set_defaults(run=_explain)
    users = parts.add_parser("users", help="the people that the hub knows").add_subparsers(
        metavar="COMMAND", required=True
    )
    forgetting = users.add_parser(
        "forget", help="remove what is kept of a person, and say what stays and why"
    )
    forgetting.add_argument("user", metavar="USER", help="their e-mail address")
    forgetting.set_defaults(run=_forget)
    return parser


@contextmanager
def open_hub(folder: Path) -> Iterator[OpenHub]:
    """The hub whose configuration lies in this folder.

    Raises:
        CommandError, SettingsError: there is none, or it has never run.
    """
    if not (folder / CONFIGURATION).exists():
        raise CommandError(f"there is no {CONFIGURATION} here; go to the folder where it lies")
    known = settings.read(folder)
    url = make_url(known.database_url)
    never = CommandError("no hub has run here yet; start it once")
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise never  # connecting would make the file
    engine = create_engine(url)
    if url.get_backend_name() == "sqlite":
        orm.register_foreign_keys(engine)  # what belongs to somebody goes with them, as in the hub
    try:
        if not inspect(engine).has_table(grants.Grant.__tablename__):
            raise never
        with Session(engine) as db:
            yield OpenHub(settings=known, db=db)
    finally:
        engine.dispose()


def person_named(hub: OpenHub, name: str) -> Person:
    """The person of this name.

    Raises:
        CommandError: there is none; names those who are nearly called so.
    """
    for person in access_report.read_people(hub.db, name.strip().casefold()):
        return person
    known = hub.db.scalars(select(orm.User.name))
    near = difflib.get_close_matches(name.casefold(), known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise CommandError(f"this hub knows nobody called {name}{hint}")


def _explain(hub: OpenHub, given: argparse.Namespace) -> int:
    person = person_named(hub, given.user)
    try:
        notebooks = notebooks_in(hub.settings.notebooks)
    except OSError as error:
        raise CommandError(
            f"the folder {hub.settings.notebooks} cannot be read ({error.strerror})"
        ) from None
    if given.dashboard is None:
        return _tell_all(person, notebooks)
    answer = access_report.explain(person, _the_one(notebooks, given.dashboard))
    for line in (answer.verdict, *answer.reasons, answer.mend):
        if line:
            say(line)
    return 0 if answer.may else 1


def _the_one(notebooks: Sequence[Notebook], words: str) -> Notebook:
    found = meant(notebooks, words)
    names = [notebook.id for notebook in found[:_MOST_NAMES]]
    match len(found):
        case 1:
            return found[0]
        case 0:
            near = difflib.get_close_matches(words, [each.id for each in notebooks], n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise CommandError(f"there is no dashboard {words}{hint}")
        case number:
            raise CommandError(f"{number} dashboards are called {words}: {', '.join(names)}")


def _tell_all(person: Person, notebooks: Sequence[Notebook]) -> int:
    """All that a person sees, group by group."""
    seen = [notebook for notebook in notebooks if notebook.opens_to(person.groups)]
    say(f"{person.name} sees {len(seen)} of {len(notebooks)} dashboards.")
    if not person.has_signed_in:
        say("They have never signed in, so their roles are not known here yet.")
    if person.is_hub_admin:
        say("They are a full admin of the hub, which by itself opens no dashboard.")
    for group in access_report.detailed_record(person, notebooks)["groups"]:
        say(f"\n{group['name']}{'' if group['held'] else ' (not a member)'}: {group['why']}")
        for name in group["opens"]:
            say(f"    {name}")
    return 0 if seen else 1


def _forget(hub: OpenHub, given: argparse.Namespace) -> int:
    try:
        said = forget(hub.db, hub.settings.state, given.user)
    except FileNotFoundError:
        raise CommandError("no hub has run here yet; start it once") from None
    for sentence in said:
        say(sentence)
    return 0
