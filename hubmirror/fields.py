"""The syntax that HTTP's field values share: tokens, quoted strings, parameters, lists.

Source: RFC 9110, section 5.6. ``challenge.py``, ``forwarded.py`` and ``links.py`` build on it.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["MAX_FIELD", "FieldReader", "is_quotable", "is_token", "quoted"]

#: The longest field value that is parsed, in characters.
MAX_FIELD: Final = 8 * 1024

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_EQUALS = re.compile(r"[ \t]*=[ \t]*")
# The alternatives exclude each other, so no input makes the match go back and try again.
_QUOTED = re.compile(r'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"')
_QUOTABLE = re.compile(r"[\t \x21-\x7e\x80-\xff]*")
_COMMAS = re.compile(r"[ \t]*,[ \t,]*")
_SEMICOLONS = re.compile(r"[ \t]*;[ \t;]*")


class FieldReader:
    """Reads one field value, text decoded as Latin-1, from left to right.

    Each method takes what it names and returns it; where something else comes next, it takes
    nothing and returns None or False.
    """

    def __init__(self, value: str) -> None:
        self._value = value.strip(" \t")
        self._position = 0

    @property
    def is_done(self) -> bool:
        """Whether all is read."""
        return self._position == len(self._value)

    def take(self, pattern: re.Pattern[str]) -> str | None:
        """What ``pattern`` matches here."""
        match = pattern.match(self._value, self._position)
        if match is None:
            return None
        self._position = match.end()
        return match[0]

    def token(self) -> str | None:
        """A token."""
        return self.take(_TOKEN)

    def parameter(self, unquoted: re.Pattern[str] = _TOKEN) -> tuple[str, str] | None:
        """``name=value``, the value a quoted string, its escapes undone, or ``unquoted``."""
        start = self._position
        name = self.token()
        if name is not None and self.take(_EQUALS) is not None:
            text = self.take(_QUOTED)
            value = self.take(unquoted) if text is None else re.sub(r"\\(.)", r"\1", text[1:-1])
            if value is not None:
                return name, value
        self._position = start
        return None

    def commas(self) -> bool:
        """A list's delimiter, with the empty elements that it may enclose (section 5.6.1.2)."""
        return self.take(_COMMAS) is not None

    def semicolons(self) -> bool:
        """The delimiter of parameters, with the empty ones that it may enclose."""
        return self.take(_SEMICOLONS) is not None


def is_token(text: str) -> bool:
    """Whether ``text`` is a token."""
    return _TOKEN.fullmatch(text) is not None


def is_quotable(text: str) -> bool:
    """Whether a quoted string can hold ``text``: it has no control character but tabs."""
    return _QUOTABLE.fullmatch(text) is not None


def quoted(text: str) -> str:
    """``text``, which must be quotable, as a quoted string."""
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
