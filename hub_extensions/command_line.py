"""What the parts of the command `atrium` share: how they fail, and how they speak."""

from __future__ import annotations

import sys


class CommandError(Exception):
    """The command cannot do what it was told to, and says so in a sentence."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


def say(text: str, *, error: bool = False) -> None:
    """Print; names come from outside and must not steer the terminal."""
    safe = "".join(sign if sign.isprintable() or sign == "\n" else "?" for sign in text)
    print(safe, file=sys.stderr if error else sys.stdout)
