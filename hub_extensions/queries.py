"""How the hub's database is asked and written."""

from __future__ import annotations

from typing import Any

from jupyterhub import orm
from sqlalchemy import event, text
from sqlalchemy.orm import ORMExecuteState, Session, lazyload


def write_ahead(db: Session) -> None:
    """Have SQLite wait for the disk once in a commit, as safe as before and in a third of the time.

    A sign-in has about twenty, and the hub waits for each (sqlite.org, "Write-Ahead Logging").
    Other databases do so by themselves.
    """
    if db.get_bind().dialect.name == "sqlite":
        db.execute(text("PRAGMA journal_mode = WAL"))
        db.commit()


def leave_out_pings(db: Session) -> None:
    """Begin transactions without JupyterHub's question whether the database still answers, where it
    is a file and no server that may have gone.

    A sign-in has about forty of them (SQLAlchemy, "Disconnect Handling - Pessimistic").
    """
    engine: Any = db.get_bind()
    if engine.dialect.name == "sqlite":
        engine.dispatch.engine_connect.clear()


def load_one_alone(db: Session) -> None:
    """Load an object that is looked up by itself without what belongs to it.

    JupyterHub's tables have a person's groups, their roles and shares loaded with the person: five
    more queries each time, also for somebody who is loaded already. That pays for lists; for one
    person what is not there yet comes when it is asked for (SQLAlchemy, "Relationship Loading
    Techniques", `lazyload`).
    """

    @event.listens_for(db, "do_orm_execute")
    def look(state: ORMExecuteState) -> None:
        # `first()` asks for one.
        one = getattr(getattr(state.statement, "_limit_clause", None), "value", None) == 1
        if state.is_select and one:
            state.statement = state.statement.options(lazyload("*"))


def let_go_of_deleted(db: Session) -> None:
    """Forget what of Atrium's tables is held in memory of somebody who is deleted.

    The database deletes those rows by itself (`ON DELETE CASCADE`), of which SQLAlchemy does not
    know; and SQLite gives the number to whoever comes next, who would be taken for the one before.
    """

    @event.listens_for(db, "persistent_to_deleted")
    def let_go(_db: Session, deleted: Any) -> None:
        if isinstance(deleted, orm.User):
            everything: list[Any] = list(db.identity_map.values())
            for held in everything:
                is_ours = held.__tablename__.startswith("atrium_")
                # After a rollback it would have to be asked for, and the row may be gone.
                if is_ours and vars(held).get("user_id", deleted.id) == deleted.id:
                    db.expunge(held)
