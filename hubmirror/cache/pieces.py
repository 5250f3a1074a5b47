"""Which bytes of a blob are there: a set of intervals."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import Final

__all__ = ["Pieces"]

_TEXT: Final = re.compile(r"(?:\d{1,19}-\d{1,19}(?:,\d{1,19}-\d{1,19})*)?", re.ASCII)


class Pieces:
    """Half-open intervals [start, end) within [0, size): sorted, apart, and never empty.

    What touches is merged, so their number stays that of the gaps, which is small: one or two
    for each connection of a fetch.
    """

    def __init__(self, size: int, intervals: Iterable[tuple[int, int]] = ()) -> None:
        self.size = size
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in intervals:
            self.add(start, end)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """The intervals, in order."""
        return zip(self._starts, self._ends, strict=True)

    def add(self, start: int, end: int) -> None:
        """[start, end) is there. Raises ``ValueError`` for what is not within the blob."""
        self._check(start, end)
        if start == end:
            return
        first = bisect_left(self._ends, start)  # the first that touches, or lies behind
        last = bisect_right(self._starts, end)  # the first that lies behind, untouched
        if first < last:
            start = min(start, self._starts[first])
            end = max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]

    def missing(self, start: int, end: int) -> list[tuple[int, int]]:
        """The gaps within [start, end), in order. Raises ``ValueError`` as ``add`` does."""
        self._check(start, end)
        gaps: list[tuple[int, int]] = []
        for index in range(bisect_right(self._ends, start), bisect_left(self._starts, end)):
            if start < self._starts[index]:
                gaps.append((start, self._starts[index]))
            start = self._ends[index]
        if start < end:
            gaps.append((start, end))
        return gaps

    def available(self, start: int) -> int:
        """How many bytes from ``start`` on are there without a gap."""
        index = bisect_right(self._starts, start) - 1
        return max(0, self._ends[index] - start) if index >= 0 else 0

    @property
    def total(self) -> int:
        """How many bytes are there in all."""
        return sum(self._ends) - sum(self._starts)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing."""
        return self.available(0) == self.size

    def serialise(self) -> str:
        """``0-1048576,2097152-3145728``: starts and (exclusive) ends."""
        return ",".join(f"{start}-{end}" for start, end in self)

    @classmethod
    def parse(cls, size: int, text: str) -> Pieces:
        """The inverse of ``serialise``. Raises ``ValueError`` for any other text."""
        if not _TEXT.fullmatch(text):
            raise ValueError("not a list of intervals")
        pairs = (interval.split("-") for interval in text.split(",") if interval)
        return cls(size, ((int(start), int(end)) for start, end in pairs))

    def _check(self, start: int, end: int) -> None:
        if not 0 <= start <= end <= self.size:
            raise ValueError(f"[{start}, {end}) is not within [0, {self.size})")
