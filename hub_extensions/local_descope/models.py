"""The tables of sign-ins under way and done; what the project has is in `records.py`.

Times are seconds since 1970. Secrets are kept as digests, but in mails, which the outbox shows.
"""

from __future__ import annotations

from typing import Any

from authlib.oauth2.rfc6749 import TokenMixin
from authlib.oidc.core import AuthorizationCodeMixin
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

    def get_expires_in(self) -> int:
        return self.expires_at - now()

    def is_expired(self) -> bool:
        return self.expires_at <= now()

    def is_revoked(self) -> bool:
        return self.ended_at is not None

    def get_client(self) -> Any:
        """Authlib asks for it only to sign a userinfo answer; see `server.Userinfo`."""


class Code(Base, AuthorizationCodeMixin):
    """An authorization code. It stays after use, so that a replay is known as one."""

    __tablename__ = "codes"
    digest: Mapped[str] = mapped_column(primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"))
    session: Mapped[Session] = relationship(lazy="joined")
    redirect_uri: Mapped[str]
    nonce: Mapped[str | None]
    code_challenge: Mapped[str]
    code_challenge_method: Mapped[str]
    expires_at: Mapped[int]
    used_at: Mapped[int | None]

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.session.scope

    def get_nonce(self) -> str | None:
        return self.nonce

    def get_auth_time(self) -> int:
        return self.session.auth_time

    def get_amr(self) -> list[str]:
        return self.session.amr

    def get_acr(self) -> str:
        return ""


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


class Link(Base):
    """A magic link that was sent, and the task of the flow that opening it goes on with."""

    __tablename__ = "links"
    digest: Mapped[str] = mapped_column(primary_key=True)
    run_id: Mapped[str]
    task: Mapped[str]
    email: Mapped[str]
    expires_at: Mapped[int]
    used_at: Mapped[int | None]


class Mail(Base):
    """A mail that would have been sent."""

    __tablename__ = "mails"
    id: Mapped[int] = mapped_column(primary_key=True)
    to: Mapped[str] = mapped_column(index=True)
    subject: Mapped[str]
    link: Mapped[str]
    created_at: Mapped[int] = mapped_column(default=now)
    expires_at: Mapped[int]
