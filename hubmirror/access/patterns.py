"""Patterns by which rules name repositories, tags, users, media types and platforms."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["MAX_PATTERN", "Patterns", "check_pattern"]

#: The longest pattern, in characters.
MAX_PATTERN: Final = 512

_STAR: Final = "*"
_STARS: Final = "**"
_PIECE = re.compile(r"\*\*|.", re.DOTALL)


class Patterns:
    """Some patterns, of which one has to match the whole of a text.

    ``*`` is any run of characters without a slash, ``**`` any run at all, ``?`` one character
    that is no slash. All other characters are themselves. A match takes time that grows with
    the product of both lengths, whatever the pattern.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._all = [_PIECE.findall(pattern) for pattern in patterns]

    def match(self, text: str) -> bool:
        """Whether one of them matches ``text``."""
        return any(_matches(pieces, text) for pieces in self._all)


def check_pattern(written: str) -> str:
    """``written``, if it is a pattern; raises ``ValueError``."""
    if not written or len(written) > MAX_PATTERN:
        raise ValueError(f"a pattern has 1 to {MAX_PATTERN} characters")
    if not written.isprintable() or " " in written:
        raise ValueError("a pattern has neither spaces nor control characters")
    if "***" in written:
        raise ValueError("a pattern has two asterisks at most in a row")
    return written


def _matches(pieces: list[str], text: str) -> bool:
    """Keep all places of the pattern where one can be, character by character."""
    places = _onward({0}, pieces)
    for character in text:
        reached = set()
        for place in places:
            piece = pieces[place] if place < len(pieces) else ""
            if piece == _STARS or (piece == _STAR and character != "/"):
                reached.add(place)
            elif piece == character or (piece == "?" and character != "/"):
                reached.add(place + 1)
        places = _onward(reached, pieces)
        if not places:
            return False
    return len(pieces) in places


def _onward(places: set[int], pieces: list[str]) -> set[int]:
    """The same places, and those behind asterisks that stand for nothing more."""
    found = set(places)
    for place in places:
        while place < len(pieces) and pieces[place] in (_STAR, _STARS):
            place += 1
            found.add(place)
    return found
