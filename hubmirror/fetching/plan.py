"""Which bytes of a blob a connection brings next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

__all__ = ["Plan", "Span"]

#: Bytes [start, end).
Span = tuple[int, int]


class Plan:
    """Hands out the gaps of a blob of ``size`` bytes, ``piece`` bytes at most at a time.

    ``missing(start, end)`` tells the gaps in order. What is taken is nobody else's until it is
    given back, so that no byte comes twice.
    """

    def __init__(self, size: int, piece: int, missing: Callable[[int, int], list[Span]]) -> None:
        self._size = size
        self._piece = piece
        self._missing = missing
        self._taken: set[Span] = set()

    def take(self, wanted: Iterable[Span]) -> Span | None:
        """The next span to bring, or None where all are there or taken.

        Each of ``wanted`` is where a reader is and how far it will go. Served first is whoever
        will run out of bytes first; then what is left, from the front.
        """
        starts = [(start - position, start) for position, start in self._first_gaps(wanted)]
        start = min(starts, key=lambda each: each[0])[1] if starts else 0
        span = next(self._free(start, self._size), None)
        if span is None:
            return None
        span = (span[0], min(span[1], span[0] + self._piece))
        self._taken.add(span)
        return span

    def reserve(self, span: Span) -> None:
        """Take this very span, which nobody has taken."""
        self._taken.add(span)

    def give_back(self, span: Span) -> None:
        """Nobody brings ``span`` any more: it is there, or free again."""
        self._taken.discard(span)

    def _first_gaps(self, wanted: Iterable[Span]) -> Iterator[tuple[int, int]]:
        for position, end in wanted:
            for start, _ in self._free(position, end):
                yield position, start
                break

    def _free(self, start: int, end: int) -> Iterator[Span]:
        if start >= end:
            return
        taken = sorted(self._taken)
        for gap_start, gap_end in self._missing(start, end):
            position = gap_start
            for taken_start, taken_end in taken:
                if taken_end <= position or taken_start >= gap_end:
                    continue
                if taken_start > position:
                    yield position, taken_start
                position = taken_end
            if position < gap_end:
                yield position, gap_end
