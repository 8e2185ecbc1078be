"""How the hub's database is asked and written."""

from __future__ import annotations

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
