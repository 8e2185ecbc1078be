"""Magic links and the outbox, which takes the place of sent mail."""

from __future__ import annotations

from collections.abc import Sequence

from authlib.common.security import generate_token
from sqlalchemy import delete, func, select

from ..errors import NotLetIn
from ..models import Link
from ..parts import parts, transaction
from ..records import MagicLinkSettings, now

MAIL_WINDOW_SECONDS = 600
MAILS_KEPT_SECONDS = 7 * 24 * 3600


class LinkRefused(Exception):
    """A link that leads nowhere: "unknown", "spent" or "expired"."""


def send_link(run_id: str, task: str, email: str) -> None:
    """Write a mail with a new link that goes on with the run at the task. Earlier links of
    the run stay good, as with Descope.

    Raises:
        NotLetIn: there were too many, and none was written.
    """
    link = Link(token=generate_token(43), run_id=run_id, task=task, email=email)
    with transaction() as db:
        db.execute(delete(Link).where(Link.created_at < now() - MAILS_KEPT_SECONDS))
        recent = select(func.count()).where(
            Link.email == email, Link.created_at > now() - MAIL_WINDOW_SECONDS
        )
        if (db.scalar(recent) or 0) >= parts().config.mail_limit:
            raise NotLetIn(
                "This address has been sent many links already. Open one of them, or wait ten "
                "minutes."
            )
        link.expires_at = now() + db.settings(MagicLinkSettings).link_seconds
        db.add(link)


def open_link(token: str) -> Link:
    """Spend a link. Of two openings at once, one gets it.

    Raises:
        LinkRefused: it is not there, was spent before, or is too old.
    """
    with transaction() as db:
        link = db.scalar(select(Link).where(Link.token == token))
        if link is None or link.state != "good":
            raise LinkRefused(link.state if link else "unknown")
        link.used_at = now()
        return link


def links() -> Sequence[Link]:
    """The newest fifty, newest first."""
    with transaction() as db:
        return db.scalars(select(Link).order_by(Link.id.desc()).limit(50)).all()
