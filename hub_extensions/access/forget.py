"""`atrium users forget`: what is kept of a person goes, and what stays is said, with the reason.

While the hub runs it alone may take somebody out, since it knows people and servers by heart: the
command leaves a wish in the database, and the hub fulfils it within a second.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from jupyterhub import orm
from sqlalchemy import MetaData, String, Unicode, UnicodeText, delete, func, inspect, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column
from tornado.ioloop import PeriodicCallback

from .. import audit
from ..signing_in import sign_out

#: What stands where a forgotten person's name stood in what was done for others.
FORGOTTEN: Final = "forgotten"
_PATIENCE: Final = 60
_BETWEEN_LOOKS: Final = 0.2


class Wish(orm.Base):
    """A person whom the running hub is to forget, and what it says when it has."""

    __tablename__ = "atrium_forget"
    name: Mapped[str] = mapped_column(Unicode(255), primary_key=True)
    said: Mapped[str | None] = mapped_column(UnicodeText)


# -- the command ---------------------------------------------------------------------------


def forget(db: Session, state_folder: Path, name: str) -> list[str]:
    """Remove a person, whether or not the hub runs. Returns sentences for the operator.

    Raises:
        FileNotFoundError: no hub has written an audit trail in this state folder.
    """
    name = name.strip().casefold()
    key = (state_folder / "secrets" / "audit_key").read_text().strip()
    try:
        audit.configure(state_folder / "audit", key)
    except audit.TrailInUse:
        return _ask_the_hub(db, name)
    try:
        user = orm.User.find(db, name)
        if user is not None and any(spawner.server for spawner in user.orm_spawners.values()):
            return ["Their dashboards were left running. Start the hub, then run this again."]

        def remove() -> None:
            db.delete(user)
            db.commit()

        return _erase(db, state_folder, user, name, remove)
    finally:
        audit.close()


def _ask_the_hub(db: Session, name: str) -> list[str]:
    db.merge(Wish(name=name, said=None))
    db.commit()
    deadline = time.monotonic() + _PATIENCE
    said = None
    while said is None and time.monotonic() < deadline:
        time.sleep(_BETWEEN_LOOKS)
        said = db.scalar(select(Wish.said).where(Wish.name == name))
        db.commit()  # the next look must see what the hub has written since
    db.execute(delete(Wish).where(Wish.name == name))
    db.commit()
    return json.loads(said) if said else ["The hub runs and did not answer; nothing is promised."]


# -- the running hub -----------------------------------------------------------------------


def follow(app: Any, state_folder: Path) -> None:
    """Fulfil wishes from now on. Called once, when the hub starts."""
    Wish.__table__.create(app.db.get_bind(), checkfirst=True)
    app.db.execute(delete(Wish))  # of a command that was broken off
    app.db.commit()

    async def look() -> None:
        for name in list(app.db.scalars(select(Wish.name).where(Wish.said.is_(None)))):
            try:
                said = await _forget_here(app, state_folder, name)
            except Exception:
                app.log.exception("Forgetting somebody failed")
                app.db.rollback()
                said = ["The hub could not do all of it; its log says why."]
            app.db.execute(update(Wish).where(Wish.name == name).values(said=json.dumps(said)))
            app.db.commit()

    PeriodicCallback(look, 1000).start()


async def _forget_here(app: Any, state_folder: Path, name: str) -> list[str]:
    user = app.users.get(name)
    if user is None:
        return _erase(app.db, state_folder, None, name, lambda: None)
    async with app.authenticator.lock(name):
        await sign_out.end_everything(app, user, lab=True)
        for server in list(user.spawners):
            await sign_out.stop_server(app, user, server)
        if user.active:
            return ["One of their servers does not stop. Nothing was removed; try again."]
        await user.delete_spawners()
        return _erase(app.db, state_folder, user.orm_user, name, lambda: app.users.delete(user))


# -- what goes -----------------------------------------------------------------------------


def _erase(
    db: Session, state_folder: Path, user: Any, name: str, remove: Callable[[], None]
) -> list[str]:
    """Take a person out of everything; `remove` deletes the hub's user."""
    trail = audit.current()
    pseudonym = trail.people.known(name) if trail else ""
    if user is None and not pseudonym:
        return [f"Nobody is known here as {name}."]
    said = []
    if user is not None:
        tokens = len(user.api_tokens)
        home = f"{user.id}-{user.created:%Y%m%d%H%M%S%f}"  # as DashboardSpawner names it
        rows = _erase_rows(db, user.id, name)
        remove()
        said.append(f"Removed: their account in the hub, and {tokens} tokens.")
        said += [f"Removed: {count} rows of {table}." for table, count in rows.items() if count]
        said += _erase_homes(state_folder / "people", home)
    audit.record("user-forgotten", user=name, by="operator")
    if trail:
        pseudonym = trail.people.known(name)
        trail.people.forget(name)
    said += [
        f"Kept: records of {pseudonym} in the audit trail. Who was given what must stay provable; "
        "whose pseudonym this was is removed.",
        "Kept: their account at the sign-in service. Remove it there, or they can sign in again.",
        "Not looked into: log files and backups, which can hold the address until they are "
        "thrown away, and what the data of dashboards says of them.",
    ]
    return said


def _erase_rows(db: Session, user_id: int, name: str) -> dict[str, int]:
    """Delete what belongs to a person in Atrium's own tables, and their name from the rest.

    Tables are looked at as they are in the database, so that none can be left out by mistake.
    """
    removed = {}
    tables = MetaData()
    names = [
        table for table in inspect(db.get_bind()).get_table_names() if table.startswith("atrium_")
    ]
    tables.reflect(db.connection(), only=[name for name in names if name != Wish.__tablename__])
    for table in tables.sorted_tables:
        if not table.name.startswith("atrium_"):
            continue  # reflected because one of ours refers to it
        for key in table.foreign_keys:
            if key.column.table.name == "users":
                theirs = key.parent == user_id
                rows = db.scalar(select(func.count()).select_from(table).where(theirs)) or 0
                db.execute(delete(table).where(theirs))
                removed[table.name] = removed.get(table.name, 0) + rows
        for column in table.columns:
            if isinstance(column.type, String):
                named = column == name
                db.execute(update(table).where(named).values({column.name: FORGOTTEN}))
    return removed


def _erase_homes(homes: Path, home: str) -> list[str]:
    said = []
    for folder in sorted(homes.glob(f"{home}*")):
        if folder.name != home and not folder.name.startswith(f"{home}-"):
            continue
        try:
            shutil.rmtree(folder)
        except OSError as error:
            said.append(f"Could not remove {folder} ({error.strerror}): remove it by hand.")
        else:
            said.append(f"Removed: the folder {folder.name} with their files.")
    return said
