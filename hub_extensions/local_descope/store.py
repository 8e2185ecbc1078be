"""The stand-in's store: one SQLite file, changed in transactions that wait for each other."""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Text, create_engine, event, select
from sqlalchemy.orm import Mapped, Session, mapped_column, sessionmaker

from .errors import DescopeError
from .models import Base
from .records import Application, Flow, Record, Secret, Settings, User

FILE = "project.sqlite"
WAIT_MILLISECONDS = 20_000
R = TypeVar("R", bound=Record)
S = TypeVar("S", bound=Settings)
T = TypeVar("T")
#: Where a transaction keeps what it has read; and all of them what each request needs, and seldom
#: changes.
_READ, _READ_BY_ALL = "read", "read by all"
_LASTING = frozenset({Application, Flow})


class Kept(Base):
    """A record as JSON."""

    __tablename__ = "records"
    kind: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    body: Mapped[str] = mapped_column(Text)


class Transaction(Session):
    """A transaction that also knows the project's records."""

    def record(self, kind: type[R], record_id: str) -> R | None:
        return self._once(kind, record_id, lambda: self._record(kind, record_id))

    def _record(self, kind: type[R], record_id: str) -> R | None:
        kept = self.get(Kept, (kind.__name__, record_id))
        return kind.model_validate_json(kept.body) if kept else None

    def _once(self, kind: type[Record], what: str | None, read: Callable[[], T]) -> T:
        """What has been read and not changed since need not be read again."""
        known = self._known(kind)
        if what not in known:
            known[what] = read()
        return known[what]

    def _known(self, kind: type[Record]) -> dict[str | None, Any]:
        """What is known of a kind, by the id of a record; by None all of them."""
        place = _READ_BY_ALL if kind in _LASTING else _READ
        return self.info.setdefault(place, {}).setdefault(kind, {})

    def found(self, kind: type[R], record_id: str) -> R:
        """The record.

        Raises:
            DescopeError: there is none.
        """
        record = self.record(kind, record_id)
        if record is None:
            raise DescopeError(kind.missing, f"There is no {record_id}")
        return record

    def records(self, kind: type[R]) -> list[R]:
        """All records of a kind, by their ids."""
        return list(self._once(kind, None, lambda: self._records(kind)))

    def _records(self, kind: type[R], *which: ColumnElement[bool]) -> list[R]:
        bodies = select(Kept.body).where(Kept.kind == kind.__name__, *which).order_by(Kept.id)
        return [kind.model_validate_json(body) for body in self.scalars(bodies)]

    def settings(self, kind: type[S]) -> S:
        return self.record(kind, "") or kind()

    def user(self, login_id: str) -> User | None:
        """The user whom a way of signing in knows by this name."""
        if not login_id:
            return None
        # Reading all of them would make each sign-in slower by everybody who has ever signed in.
        said = json.dumps(login_id, ensure_ascii=False)
        found = self._records(User, Kept.body.contains(said, autoescape=True))
        return next((user for user in found if login_id in user.loginIds), None)

    def keep(self, record: R) -> R:
        kind, body = type(record), record.model_dump_json()
        self._known(kind).clear()
        self.merge(Kept(kind=kind.__name__, id=getattr(record, kind.key, ""), body=body))
        self.flush()
        return record

    def drop(self, record: Record) -> None:
        kind = type(record)
        self._known(kind).clear()
        self.delete(self.get_one(Kept, (kind.__name__, getattr(record, kind.key))))
        self.flush()


class Store:
    """Transactions. Rows that leave one are detached copies: changing them does nothing."""

    def __init__(self, folder: Path) -> None:
        """Open the store in a folder, made if missing."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._engine = engine = create_engine(f"sqlite:///{folder / FILE}", hide_parameters=True)
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
        Base.metadata.create_all(engine)
        self._read_by_all: dict[type[Record], Any] = {}
        info = {_READ_BY_ALL: self._read_by_all}
        self._sessions = sessionmaker(engine, class_=Transaction, expire_on_commit=False, info=info)
        # SQLite has those who wait look again after up to 0.1 s each; a lock wakes them at once.
        self._turn = threading.Lock()

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """A transaction: committed at the end of the block, rolled back if it raises."""
        with self._turn:
            try:
                with self._sessions.begin() as db:
                    yield db
            except BaseException:  # what was read may be what is rolled back
                self._read_by_all.clear()
                raise

    def secret(self, name: str) -> str:
        """A secret of this store, made when first asked for."""
        with self.begin() as db:
            kept = db.record(Secret, name)
            return (kept or db.keep(Secret(id=name, value=secrets.token_urlsafe(32)))).value


def digest_of(secret: str) -> str:
    """What the store keeps of a random secret: enough to find it, not enough to use it."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _prepare(connection: Any, _record: object) -> None:
    # SQLAlchemy's begin event begins transactions, not the driver (see its page on SQLite).
    connection.isolation_level = None
    for pragma in (
        "journal_mode = WAL",
        "synchronous = NORMAL",  # a crash loses nothing; a power cut the last words of a stand-in
        f"busy_timeout = {WAIT_MILLISECONDS}",
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    """Each transaction is the only one from its start: none is built on what has changed since."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
