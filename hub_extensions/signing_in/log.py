"""Nothing in the hub's log that opens something: JupyterHub blanks `?token=`, but not where a
redirect repeats it, and tells the session of a browser with each cookie against forgery."""

from __future__ import annotations

import logging
import re
from typing import Final

from tornado.log import access_log, app_log

_TOKEN: Final = re.compile(r"(token(?:=|%3D|%253D|\": \"))[^&%\s\"']+", re.IGNORECASE)


class NoTokens(logging.Filter):
    """Blanks tokens in addresses, and in the headers that are told of a failed request."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Called by the logger with each line."""
        if isinstance(record.msg, str):
            record.msg = _TOKEN.sub(r"\1[secret]", record.msg)
        return True


def tells_no_session(record: logging.LogRecord) -> bool:
    """Not the line in which `jupyterhub._xsrf_utils` tells the value of the session's cookie."""
    return not str(record.msg).startswith("Setting new xsrf cookie")


def keep_secrets_out() -> None:
    """From now on."""
    access_log.addFilter(NoTokens())
    app_log.addFilter(tells_no_session)
