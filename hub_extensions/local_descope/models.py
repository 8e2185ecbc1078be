"""The tables of the stand-in's store. Times are seconds since 1970; secrets are kept as digests,
except in mails, which the outbox has to show."""

from __future__ import annotations

import time
from typing import Any

from authlib.oauth2.rfc6749 import TokenMixin
from authlib.oidc.core import AuthorizationCodeMixin
from sqlalchemy import JSON, ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


def now() -> int:
    return int(time.time())


class Base(DeclarativeBase):
    type_annotation_map = {dict[str, Any]: JSON, list[str]: JSON}  # noqa: RUF012 (SQLAlchemy's)


class User(Base):
    __tablename__ = "users"
    id: Mapped[str] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    enabled: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[int] = mapped_column(default=now)


class Tenant(Base):
    __tablename__ = "tenants"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]


class Member(Base):
    """A user's place in a tenant, with the roles held there."""

    __tablename__ = "members"
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    roles: Mapped[list[str]] = mapped_column(default=list)


class ProviderSession(Base):
    """A browser that is signed in at the stand-in."""

    __tablename__ = "provider_sessions"
    digest: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str]
    auth_time: Mapped[int]
    expires_at: Mapped[int]


class Code(Base, AuthorizationCodeMixin):
    """An authorization code. It stays after use, so that a replay is known as one."""

    __tablename__ = "codes"
    digest: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str]
    redirect_uri: Mapped[str]
    scope: Mapped[str]
    nonce: Mapped[str | None]
    auth_time: Mapped[int]
    amr: Mapped[list[str]]
    code_challenge: Mapped[str]
    code_challenge_method: Mapped[str]
    expires_at: Mapped[int]
    used_at: Mapped[int | None]

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str | None:
        return self.nonce

    def get_auth_time(self) -> int:
        return self.auth_time

    def get_amr(self) -> list[str]:
        return self.amr

    def get_acr(self) -> str:
        return ""


class Token(Base, TokenMixin):
    """An access or a refresh token; `family` is the code that all of one sign-in come from."""

    __tablename__ = "tokens"
    digest: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    family: Mapped[str] = mapped_column(index=True)
    user_id: Mapped[str]
    client_id: Mapped[str]
    scope: Mapped[str]
    auth_time: Mapped[int]
    amr: Mapped[list[str]]
    expires_at: Mapped[int]
    revoked_at: Mapped[int | None]

    def check_client(self, client: Any) -> bool:
        return self.client_id == client.get_client_id()

    def get_scope(self) -> str:
        return self.scope

    def get_expires_in(self) -> int:
        return self.expires_at - now()

    def is_expired(self) -> bool:
        return self.expires_at <= now()

    def is_revoked(self) -> bool:
        return self.revoked_at is not None

    def get_client(self) -> Any:
        """The userinfo answer asks for it only to sign; see `endpoints.Userinfo`."""


class Run(Base):
    """One browser's way through the flow: the request that began it and the task it stands at."""

    __tablename__ = "runs"
    id: Mapped[str] = mapped_column(primary_key=True)
    browser: Mapped[str]
    request: Mapped[dict[str, Any]]
    context: Mapped[dict[str, Any]]
    task: Mapped[str] = mapped_column(default="")
    #: The run whose mail was opened to begin this one.
    parent: Mapped[str | None]
    user_id: Mapped[str | None]
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
