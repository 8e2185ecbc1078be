"""The tables of sign-ins under way and done; what the project has is in `records.py`.

Times are seconds since 1970. Secrets are kept as digests, but links, which the outbox shows.
"""

from __future__ import annotations

from typing import Any

from authlib.integrations.sqla_oauth2 import OAuth2AuthorizationCodeMixin
from authlib.oauth2.rfc6749 import TokenMixin
from sqlalchemy import JSON, ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from .records import now


class Base(DeclarativeBase):
    type_annotation_map = {dict[str, Any]: JSON, list[str]: JSON}  # noqa: RUF012 (SQLAlchemy's)


class Session(Base, TokenMixin):
    """A sign-in: of a browser at the stand-in itself (`client_id` is ""), or of a client.

    It is what Authlib knows as a token, because it decides over all tokens given for it.
    """

    __tablename__ = "sessions"
    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(index=True)
    client_id: Mapped[str] = mapped_column(default="")
    scope: Mapped[str] = mapped_column(default="")
    auth_time: Mapped[int]
    amr: Mapped[list[str]]
    #: For a client's: the browser's, which it ends with.
    parent: Mapped[str] = mapped_column(default="", index=True)
    #: Counts refreshes, if refresh tokens rotate: a token of an earlier count is a used one.
    generation: Mapped[int] = mapped_column(default=0)
    #: The ids of session JWTs that were revoked one by one.
    revoked: Mapped[list[str]] = mapped_column(default=list)
    expires_at: Mapped[int]
    ended_at: Mapped[int | None]

    def check_client(self, client: Any) -> bool:
        return self.client_id == client.get_client_id()

    def get_scope(self) -> str:
        return self.scope

    def is_expired(self) -> bool:
        return self.expires_at <= now()

    def is_revoked(self) -> bool:
        return self.ended_at is not None


class Code(Base, OAuth2AuthorizationCodeMixin):
    """An authorization code, by its digest; Authlib's columns. It stays after use, so that a replay
    is known as one."""

    __tablename__ = "codes"
    code: Mapped[str] = mapped_column(primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"))
    session: Mapped[Session] = relationship(lazy="joined")
    expires_at: Mapped[int]
    used_at: Mapped[int | None]


class Run(Base):
    """One browser's way through the flow: the request that began it and the task it stands at."""

    __tablename__ = "runs"
    id: Mapped[str] = mapped_column(primary_key=True)
    browser: Mapped[str]
    flow_id: Mapped[str]
    request: Mapped[dict[str, Any]]
    context: Mapped[dict[str, Any]]
    #: The screen that it shows; and while a provider is asked, the task to go on with, and the
    #: `state` that the answer will carry.
    task: Mapped[str] = mapped_column(default="")
    waits_at: Mapped[str] = mapped_column(default="")
    state: Mapped[str | None] = mapped_column(unique=True)
    #: The run whose mail was opened to begin this one.
    parent: Mapped[str | None]
    user_id: Mapped[str | None]
    amr: Mapped[list[str]] = mapped_column(default=list)
    #: Set when this run, or one that its mail began, has signed in.
    signed_in_at: Mapped[int | None]
    expires_at: Mapped[int]

    def tell(self, **names: Any) -> None:
        """Put names into its context."""
        self.context = self.context | names


class Link(Base):
    """A magic link in a mail that nobody sends, and the task that opening it goes on with."""

    __tablename__ = "links"
    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(unique=True)
    run_id: Mapped[str]
    task: Mapped[str]
    email: Mapped[str] = mapped_column(index=True)
    created_at: Mapped[int] = mapped_column(default=now)
    expires_at: Mapped[int]
    used_at: Mapped[int | None]

    @property
    def state(self) -> str:
        """ "good", "spent" or "expired"."""
        if self.used_at:
            return "spent"
        return "good" if self.expires_at > now() else "expired"
