"""The stand-in's store: one SQLite file, and the accounts in it.

Each function is one transaction, so it may be used by another process while the service runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from authlib.common.security import generate_token
from sqlalchemy import create_engine, event, select
from sqlalchemy.orm import Session, sessionmaker

from .models import Base, Member, Tenant, User

TENANTS = {"acme": "Acme", "globex": "Globex"}
#: Address, name, tenant, roles there.
ACCOUNTS: Sequence[tuple[str, str, str, list[str]]] = (
    ("admin@acme.test", "Acme Admin", "acme", ["Tenant Admin"]),
    ("analyst@acme.test", "Acme Analyst", "acme", ["Analyst"]),
    ("member@acme.test", "Acme Member", "acme", []),
    ("member@globex.test", "Globex Member", "globex", []),
)


class StoreError(Exception):
    """No such account, tenant or membership; the message is a sentence."""


class Store:
    """Accounts and transactions. Rows that it returns are detached copies: changing one does
    nothing."""

    def __init__(self, folder: Path) -> None:
        """Open the store in a folder, made if missing; a new store gets the known accounts."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._engine = create_engine(f"sqlite:///{folder / 'descope.sqlite'}", hide_parameters=True)
        event.listen(self._engine, "connect", _set_pragmas)
        Base.metadata.create_all(self._engine)
        self._sessions = sessionmaker(self._engine, expire_on_commit=False)
        self._seed()

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """A transaction: committed at the end of the block, rolled back if it raises."""
        with self._sessions.begin() as session:
            yield session

    def user(self, user_id: str | None) -> User | None:
        """The enabled user with this id."""
        with self.begin() as db:
            user = db.get(User, user_id) if user_id else None
        return user if user and user.enabled else None

    def users(self) -> Sequence[tuple[User, dict[str, list[str]]]]:
        """Everybody, in the order they came, with their roles by tenant."""
        with self.begin() as db:
            users = db.scalars(select(User).order_by(User.created_at, User.email)).all()
        return [(user, self.roles_of(user.id)) for user in users]

    def roles_of(self, user_id: str) -> dict[str, list[str]]:
        """The user's roles by tenant id; a member without a role has an empty list."""
        with self.begin() as db:
            places = db.scalars(
                select(Member).where(Member.user_id == user_id).order_by(Member.tenant_id)
            )
            return {place.tenant_id: list(place.roles) for place in places}

    def sign_up_or_in(self, email: str) -> tuple[User, bool]:
        """The user with this address, and whether it was made just now."""
        with self.begin() as db:
            user = db.scalar(select(User).where(User.email == email))
            if user:
                return user, False
            user = User(id=_new_user_id(), email=email, name="", enabled=True)
            db.add(user)
            return user, True

    def rename(self, user_id: str, name: str) -> None:
        with self.begin() as db:
            db.get_one(User, user_id).name = name

    def add_to_tenant(self, email: str, tenant: str, roles: Sequence[str] = ()) -> None:
        """Make somebody a member; one who is keeps their roles unless some are given."""
        with self.begin() as db:
            if not db.get(Tenant, tenant):
                raise StoreError(f"There is no tenant {tenant}.")
            user = _user(db, email)
            place = db.get(Member, (user.id, tenant))
            if place is None:
                db.add(Member(user_id=user.id, tenant_id=tenant, roles=list(roles)))
            elif roles:
                place.roles = list(roles)

    def remove_from_tenant(self, email: str, tenant: str) -> None:
        with self.begin() as db:
            db.delete(_place(db, email, tenant))

    def set_roles(self, email: str, tenant: str, roles: Sequence[str]) -> None:
        """Replace the roles of a member."""
        with self.begin() as db:
            _place(db, email, tenant).roles = list(roles)

    def disable_user(self, email: str) -> None:
        with self.begin() as db:
            _user(db, email).enabled = False

    def enable_user(self, email: str) -> None:
        with self.begin() as db:
            _user(db, email).enabled = True

    def _seed(self) -> None:
        with self.begin() as db:
            if db.scalar(select(Tenant).limit(1)):
                return
            db.add_all(Tenant(id=key, name=name) for key, name in TENANTS.items())
            db.flush()
            for email, name, tenant, roles in ACCOUNTS:
                user = User(id=_new_user_id(), email=email, name=name, enabled=True)
                db.add(user)
                db.flush()
                db.add(Member(user_id=user.id, tenant_id=tenant, roles=roles))


def digest_of(secret: str) -> str:
    """What the store keeps of a random secret: enough to find it, not enough to use it."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _new_user_id() -> str:
    return f"U2{generate_token(25)}"


def _user(db: Session, email: str) -> User:
    user = db.scalar(select(User).where(User.email == email))
    if user is None:
        raise StoreError(f"There is no account {email}.")
    return user


def _place(db: Session, email: str, tenant: str) -> Member:
    place = db.get(Member, (_user(db, email).id, tenant))
    if place is None:
        raise StoreError(f"{email} is not in the tenant {tenant}.")
    return place


def _set_pragmas(connection: Any, _record: object) -> None:
    # Readers and the one writer do not wait for each other; a short wait when two write.
    for pragma in ("journal_mode = WAL", "busy_timeout = 5000", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")
