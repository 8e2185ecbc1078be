"""What somebody is told whose wish is not done, and how what they wrote is taken."""

from __future__ import annotations


class Refused(Exception):
    """What somebody wanted is not done; nothing has changed. The message is a sentence for them.

    Attributes:
        status: of the answer.
    """

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status


def plain(text: str, longest: int, what: str) -> str:
    """What somebody wrote, without signs that do not print, for whom they could mislead.

    Raises:
        Refused: it is longer than `longest`.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(text) > longest:
        raise Refused(f"{what} has more than {longest} characters. Please shorten it.")
    return "".join(sign for sign in text if sign.isprintable() or sign == "\n")
