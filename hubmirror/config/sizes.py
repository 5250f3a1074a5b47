"""Settings that are sizes: bytes, or a share of the disk.

As in ``values``, a parser raises ``ValueError`` with what is wrong.
"""

from __future__ import annotations

import re

from hubmirror.config.model import Share
from hubmirror.config.values import shown

__all__ = ["share", "size", "size_or_share"]

_SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?) ?([kKMGTP]i?)?B?")
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,9})?) ?%")
_PREFIXES = "KMGTP"
_LARGEST = 2**60


def size(raw: object) -> int:
    """Bytes, up to 2^60: a number, or text such as ``50GiB`` (of 2^30) or ``50GB`` (of 10^9)."""
    if isinstance(raw, bool) or not isinstance(raw, str | int):
        raise ValueError(f"{shown(raw)} is not a size")
    number = raw if isinstance(raw, int) else _parsed(raw)
    if not 0 <= number <= _LARGEST:
        raise ValueError(f"{shown(raw)} is out of range")
    return number


def size_or_share(raw: object) -> int | Share:
    """As ``size``, or a share such as ``80%``; more than nothing."""
    match = _SHARE.fullmatch(raw.strip()) if isinstance(raw, str) else None
    value = size(raw) if match is None else Share(float(match[1]))
    if not value or (isinstance(value, Share) and not 0 < value.percent <= 100):
        raise ValueError(f"{shown(raw)} is out of range")
    return value


def share(raw: object) -> Share:
    """A share such as ``20%``, from 0 to 100."""
    match = _SHARE.fullmatch(raw.strip()) if isinstance(raw, str) else None
    if match is None:
        raise ValueError(f"{shown(raw)} is not a share such as 20%")
    if float(match[1]) > 100:
        raise ValueError(f"{shown(raw)} is out of range")
    return Share(float(match[1]))


def _parsed(written: str) -> int:
    match = _SIZE.fullmatch(written.strip())
    if match is None:
        raise ValueError(f"{shown(written)} is not a size")
    unit = match[2] or ""
    power = _PREFIXES.index(unit[0].upper()) + 1 if unit else 0
    factor: int = (1024 if unit.endswith("i") else 1000) ** power
    return round(float(match[1]) * factor)
