"""What workers may spend without asking: leased by the keeper, spent by them, on the board."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hubmirror.coordination.board import COUNTS, Board, Seat

__all__ = ["Lease", "Leases"]

#: The words of a lease: up to which count the worker may spend, until when (milliseconds of the
#: monotonic clock), and, which is the worker's to write, how often it had none.
GRANTED: Final = 0
UNTIL: Final = 1
WANTED: Final = 2
#: How long a lease lasts, and how much longer the keeper holds it for good: a worker may have
#: looked at the clock just before it was stopped for a moment. In milliseconds.
LASTS: Final = 1_000
MARGIN: Final = 500
#: The least that is leased, what is leased for each that was spent a moment ago, and the share of
#: what is free that is leased at once. Where little is free nothing is leased: the keeper decides
#: about each request, so that the last ones are not held by who does not need them.
LEAST: Final = 256
AHEAD: Final = 16
SHARE: Final = 4


class Lease:
    """A worker's end. What it has spent is in ``column`` of its ``counts``, beside all else there.

    ``monotonic`` is in seconds, the same clock for all processes.
    """

    def __init__(self, seat: Seat, column: int, monotonic: Callable[[], float]) -> None:
        seat.occupy()
        self.counts = seat.counts
        self._words = seat.lease
        self._column = column
        self._monotonic = monotonic

    def is_open(self) -> bool:
        """Whether something is left to spend; where not, that it was wanted is on the board."""
        words = self._words
        if self.counts[self._column] < words[GRANTED] and self._monotonic() * 1000 < words[UNTIL]:
            return True
        words[WANTED] += 1
        return False

    def spend(self) -> bool:
        """Spend one, if there still is one."""
        if not self.is_open():
            return False
        self.counts[self._column] += 1
        return True


class Leases:
    """The keeper's end. ``column`` is where a worker counts what it has spent.

    ``outstanding`` is how much workers may still spend.
    """

    def __init__(self, board: Board, column: int, monotonic: Callable[[], float]) -> None:
        self._column = column
        self._monotonic = monotonic
        self._seats = [_Leased(seat, column) for seat in board.seats]

    @property
    def outstanding(self) -> int:
        """How much they might have spent at most, beyond what has been taken over."""
        return sum(seat.outstanding for seat in self._seats)

    def collect(self) -> list[int]:
        """What workers have counted since the last call, by column; the keeper takes it over."""
        total = [0] * COUNTS
        for seat in self._seats:
            seat.collect(total)
        return total

    def renew(self, free: int) -> None:
        """Lease so much of ``free`` to all who are there, and more to who spends much.

        Also to the idle: their next request may be for a large blob. To be called after
        ``collect``, some times a second.
        """
        now = int(self._monotonic() * 1000)
        present = [seat for seat in self._seats if seat.is_present]
        share = free // (SHARE * max(1, len(present)))
        for seat in self._seats:
            seat.lapse(now)
        for seat in present:
            seat.grant(share, now)


class _Leased:
    """One seat, seen by the keeper."""

    def __init__(self, seat: Seat, column: int) -> None:
        self._seat = seat
        self._column = column
        self._moved = 0
        self._wanted = seat.lease[WANTED]

    @property
    def outstanding(self) -> int:
        return max(0, self._seat.lease[GRANTED] - self._seat.taken[self._column])

    def collect(self, total: list[int]) -> None:
        counts, taken = self._seat.counts, self._seat.taken
        if counts == taken:  # in C, and nearly always so
            return
        for column in range(COUNTS):
            counted = counts[column]
            if counted != taken[column]:
                total[column] += counted - taken[column]
                self._moved += counted - taken[column] if column == self._column else 0
                taken[column] = counted

    @property
    def is_present(self) -> bool:
        """Whether a worker sits here."""
        return self._seat.is_occupied

    def _rate(self) -> int:
        """How much was spent or wanted since the last call."""
        wanted = self._seat.lease[WANTED]
        moved, self._moved = self._moved + wanted - self._wanted, 0
        self._wanted = wanted
        return moved

    def lapse(self, now: int) -> None:
        words = self._seat.lease
        if self.outstanding and now > words[UNTIL] + MARGIN:
            words[GRANTED] = self._seat.taken[self._column]

    def grant(self, share: int, now: int) -> None:
        words = self._seat.lease
        more = min(share, max(LEAST, AHEAD * self._rate())) - self.outstanding
        if more > 0 and self.outstanding + more >= LEAST:
            words[GRANTED] = max(words[GRANTED], self._seat.taken[self._column]) + more
        if share >= LEAST and self.outstanding:
            words[UNTIL] = now + LASTS
