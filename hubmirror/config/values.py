"""From what a person wrote (text, or a value of TOML) to the types of ``Config``.

Each parser returns its value or raises ``ValueError`` with what is wrong, in words to follow a
setting's name. Where a secret may stand in the text, the words hold nothing of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from hubmirror.config.credentials import located

__all__ = [
    "choice",
    "duration",
    "lifetime",
    "on_or_off",
    "optional_lifetime",
    "optional_path",
    "path",
    "switch",
    "texts",
    "whole_number",
    "workers",
]

_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?(ms|s|m|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST = 86400.0
_LONGEST_LIFETIME = 365 * 86400.0
_SWITCH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def text(raw: object) -> str:
    """One piece of text, without the white space around it."""
    if not isinstance(raw, str):
        raise ValueError(f"{shown(raw)} is not text")
    stripped = raw.strip()
    if not stripped.isprintable():
        raise ValueError("it holds control characters")
    return stripped


def texts(raw: object) -> tuple[str, ...]:
    """A list of texts; one text alone is a list with commas. Empty items fall away."""
    items = raw if isinstance(raw, list | tuple) else [raw]
    pieces = (piece.strip() for item in items for piece in text(item).split(","))
    return tuple(piece for piece in pieces if piece)


def whole_number(least: int, most: int) -> Callable[[object], int]:
    """The parser of whole numbers between these two, both included."""

    def parse(raw: object) -> int:
        number = int(raw) if isinstance(raw, str) and _is_digits(raw) else raw
        if not isinstance(number, int) or isinstance(number, bool):
            raise ValueError(f"{shown(raw)} is not a whole number")
        if not least <= number <= most:
            raise ValueError(f"{number} is out of range")
        return number

    return parse


def workers(most: int) -> Callable[[object], int]:
    """The parser of a number of processes; ``auto``: one for each processor that we may use."""
    parse_number = whole_number(1, most)

    def parse(raw: object) -> int:
        if raw == "auto":
            return min(most, len(os.sched_getaffinity(0)))
        return parse_number(raw)

    return parse


def duration(raw: object) -> float:
    """Seconds, more than 0 and a day at most: a number, or text such as ``30s`` or ``5m``."""
    seconds = _seconds(raw)
    if not 0 < seconds <= _LONGEST:
        raise ValueError(f"{shown(raw)} is out of range")
    return seconds


def lifetime(raw: object) -> float:
    """Seconds, 0 and 365 days included, written as a duration."""
    seconds = _seconds(raw)
    if not 0 <= seconds <= _LONGEST_LIFETIME:
        raise ValueError(f"{shown(raw)} is out of range")
    return seconds


def optional_lifetime(raw: object) -> float | None:
    """As ``lifetime``, or None for ``off`` and for empty text."""
    return None if raw in ("", "off") else lifetime(raw)


def choice(*allowed: str) -> Callable[[object], str]:
    """The parser of one word out of these."""

    def parse(raw: object) -> str:
        word = text(raw)
        if word not in allowed:
            raise ValueError(f"{shown(raw)} is not one of them")
        return word

    return parse


def switch(raw: object) -> bool | None:
    """True, false, or None for ``auto``."""
    if isinstance(raw, bool):
        return raw
    word = text(raw).lower()
    if word == "auto":
        return None
    if word not in _SWITCH:
        raise ValueError(f"{shown(raw)} is neither true nor false")
    return _SWITCH[word]


def on_or_off(raw: object) -> bool:
    """True or false, written as ``on`` or ``off`` or as any switch is."""
    value = switch(raw)
    if value is None:
        raise ValueError(f"{shown(raw)} is neither on nor off")
    return value


def path(raw: object) -> Path:
    """A path, ``~`` expanded; a relative one is left so."""
    written = text(raw)
    if not written:
        raise ValueError("it is empty")
    try:
        return Path(written).expanduser()
    except RuntimeError:
        raise ValueError("its ~ names no home folder") from None


def optional_path(raw: object) -> Path | None:
    """A path, or None for empty text; ``credential:NAME`` is a file that systemd hands over."""
    return located(path(raw), os.environ) if raw != "" else None


def shown(raw: object) -> str:
    """``raw`` for an error, short and on one line."""
    written = ascii(raw)
    return written if len(written) <= 60 else f"{written[:57]}..."


def _seconds(raw: object) -> float:
    """A number of seconds, or what a text with a unit means; it may be out of any range."""
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise ValueError(f"{shown(raw)} is not a duration")
    if not isinstance(raw, str):
        return float(min(raw, 2 * _LONGEST_LIFETIME))
    match = _DURATION.fullmatch(raw.strip())
    if match is None:
        raise ValueError(f"{shown(raw)} is not a duration")
    return float(match[1]) * _SECONDS[match[2] or "s"]


def _is_digits(written: str) -> bool:
    return re.fullmatch(r"\s*-?[0-9]{1,18}\s*", written) is not None
