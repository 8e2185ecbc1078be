"""What is not for a log."""

from __future__ import annotations

import logging


def tell_no_session() -> None:
    """Leave out the line in which JupyterHub tells a session's cookie as it sets one against
    forgery."""
    logging.getLogger("tornado.application").addFilter(_tells_no_session)


def _tells_no_session(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("Setting new xsrf cookie")
