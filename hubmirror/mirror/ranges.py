"""``Range`` on a body whose size is known (RFC 9110, section 14)."""

from __future__ import annotations

import re
from typing import Final

from hubmirror.errors import RegistryError

__all__ = ["RangeNotSatisfiable", "Span", "parse_range", "range_hint"]

#: A first and a last byte, as [start, end).
Span = tuple[int, int]

_RANGE: Final = re.compile(r"bytes=([0-9]{0,19})-([0-9]{0,19})", re.IGNORECASE)


class RangeNotSatisfiable(RegistryError):
    """No byte of the range is within the body."""

    status = 416
    code = "SIZE_INVALID"
    default_message = "the requested range lies outside the blob"

    def __init__(self, size: int) -> None:
        super().__init__(headers={"Content-Range": f"bytes */{size}"})


def parse_range(value: str | None, size: int) -> Span | None:
    """The span of ``size`` bytes that ``value`` asks for, or None for the whole.

    None also for several ranges, other units and what is malformed: those may be ignored
    (RFC 9110, section 14.2). Raises ``RangeNotSatisfiable``.
    """
    match = _RANGE.fullmatch(value.strip()) if value is not None else None
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        start, end = max(0, size - int(match[2])), size
    else:
        start = int(match[1])
        last = int(match[2]) if match[2] else size - 1
        if match[2] and last < start:
            return None
        end = min(last + 1, size)
    if start >= end:
        raise RangeNotSatisfiable(size)
    return start, end


def range_hint(value: str | None) -> tuple[int, int | None]:
    """Where ``value`` begins and how many bytes it takes (None: to the end), as far as that is

    to be seen without knowing the size.
    """
    match = _RANGE.fullmatch(value.strip()) if value is not None else None
    if match is None or not match[1]:
        return 0, None
    start = int(match[1])
    length = int(match[2]) - start + 1 if match[2] else None
    return (start, length) if length is None or length > 0 else (0, None)
