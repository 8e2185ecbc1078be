"""No token in the hub's log: JupyterHub blanks `?token=`, but not where a redirect repeats it."""

from __future__ import annotations

import logging
import re
from typing import Final

from tornado.log import access_log

_TOKEN: Final = re.compile(r"(token(?:=|%3D|%253D))[^&%\s\"']+", re.IGNORECASE)


class NoTokens(logging.Filter):
    """Blanks tokens in addresses."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Called by the logger with each line."""
        if isinstance(record.msg, str):
            record.msg = _TOKEN.sub(r"\1[secret]", record.msg)
        return True


def keep_tokens_out() -> None:
    """From now on, in the lines about requests."""
    access_log.addFilter(NoTokens())
