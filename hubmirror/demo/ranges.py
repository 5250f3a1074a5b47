"""The one kind of ``Range`` that blob hosts serve: a single span of bytes (RFC 9110, 14.1.2)."""

from __future__ import annotations

import re

__all__ = ["Unsatisfiable", "parse_range"]

_SINGLE = re.compile(r"bytes=(\d*)-(\d*)")


class Unsatisfiable(Exception):
    """A range that holds none of the bytes there are."""


def parse_range(field: str | None, size: int) -> tuple[int, int] | None:
    """The span (first byte, byte after the last) that a ``Range`` field asks of ``size`` bytes.

    None where the whole is to be sent: no field, another unit, several ranges, or nonsense.
    Raises ``Unsatisfiable``.
    """
    found = _SINGLE.fullmatch((field or "").strip())
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if first and last and int(first) > int(last):
        return None
    start = int(first) if first else max(0, size - int(last))
    stop = min(int(last) + 1, size) if first and last else size
    if start >= stop:
        raise Unsatisfiable
    return start, stop
