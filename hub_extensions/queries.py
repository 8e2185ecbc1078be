"""How the hub's database is asked."""

from __future__ import annotations

from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session, lazyload


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
