"""Magic links and the outbox, which takes the place of sent mail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from authlib.common.security import generate_token
from sqlalchemy import delete, func, select

from ..models import Link, Mail
from ..records import MagicLinkSettings, now
from ..store import Store, digest_of

MAIL_WINDOW_SECONDS = 600
MAILS_KEPT_SECONDS = 7 * 24 * 3600


class TooManyMails(Exception):
    """The address has had as many mails as it may get for now."""


class LinkRefused(Exception):
    """A link that leads nowhere: unknown, spent or expired; `reason` says which."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class OutboxMail:
    """A mail in the outbox; `state` of its link is "good", "spent" or "expired"."""

    mail: Mail
    state: str


class Outbox:
    """Writes mails that nobody sends, and knows the links in them."""

    def __init__(self, store: Store, address: str, limit: int) -> None:
        """`address` is where links lead; `limit` counts mails to one address in ten minutes."""
        self._store = store
        self._address = address
        self._limit = limit

    def send_link(self, run_id: str, task: str, email: str) -> None:
        """Write a mail with a new link that goes on with the run at the task. Earlier links of
        the run stay good, as with Descope.

        Raises:
            TooManyMails: none was written.
        """
        token = generate_token(43)
        with self._store.begin() as db:
            db.execute(delete(Mail).where(Mail.created_at < now() - MAILS_KEPT_SECONDS))
            db.execute(delete(Link).where(Link.expires_at < now() - MAILS_KEPT_SECONDS))
            recent = select(func.count()).where(
                Mail.to == email, Mail.created_at > now() - MAIL_WINDOW_SECONDS
            )
            if (db.scalar(recent) or 0) >= self._limit:
                raise TooManyMails
            expires_at = now() + db.settings(MagicLinkSettings).link_seconds
            link = Link(digest=digest_of(token), run_id=run_id, task=task, email=email)
            link.expires_at = expires_at
            mail = Mail(to=email, subject="Your link to sign in", expires_at=expires_at)
            mail.link = f"{self._address}?t={token}"
            db.add_all([link, mail])

    def open_link(self, token: str) -> Link:
        """Spend a link. Of two openings at once, one gets it.

        Raises:
            LinkRefused: it is not there, was spent before, or is too old.
        """
        digest = digest_of(token)
        with self._store.begin() as db:
            link = db.get(Link, digest)
            if link is None:
                raise LinkRefused("unknown")
            if link.used_at or link.expires_at <= now():
                raise LinkRefused("spent" if link.used_at else "expired")
            link.used_at = now()
            return link

    def mails(self) -> Sequence[OutboxMail]:
        """The newest fifty, newest first."""
        with self._store.begin() as db:
            mails = db.scalars(select(Mail).order_by(Mail.id.desc()).limit(50)).all()
            digests = {digest_of(mail.link.partition("?t=")[2]): mail for mail in mails}
            spent = db.scalars(
                select(Link.digest).where(Link.digest.in_(digests), Link.used_at.is_not(None))
            )
            spent_mails = {digests[digest].id for digest in spent}
        return [OutboxMail(mail=mail, state=_state(mail, spent_mails)) for mail in mails]


def _state(mail: Mail, spent: set[int]) -> str:
    if mail.id in spent:
        return "spent"
    return "good" if mail.expires_at > now() else "expired"
