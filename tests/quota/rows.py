"""Rows of counters to add to histories."""

from __future__ import annotations

from hubmirror.quota.counters import WIDTH

__all__ = ["NEW_YEAR", "row"]

#: 2026-01-01T00:00:00Z
NEW_YEAR = 1767225600.0


def row(*numbers: int) -> list[int]:
    """The first numbers of a row, the rest zeros."""
    return [*numbers, *[0] * (WIDTH - len(numbers))]
