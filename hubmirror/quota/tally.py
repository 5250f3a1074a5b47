"""Counting as it happens: in memory, and each second into the history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hubmirror.quota.counters import WIDTH, Counters
from hubmirror.quota.history import IHistory, Step
from hubmirror.quota.window import MINUTE

__all__ = ["Tally"]

_ZEROS: Final = (0,) * WIDTH


class Tally:
    """Adds to columns (see ``counters``) of the minute that it is.

    What is added is in memory until ``settle``, which whoever runs the daemon sees to each
    second: a ``kill -9`` loses that second of the history, and nothing of the quota, which has
    a ledger. ``now`` is in seconds since the epoch, as is ``began``, when counting began.

    ``row`` is what was counted in ``minute`` (a number, counted from the epoch) and is not in the
    history yet, the same list for good: who counts with every request adds to it as it is, and
    sees to the ``turn`` itself.
    """

    def __init__(self, history: IHistory, now: Callable[[], float]) -> None:
        self._history = history
        self._now = now
        self.began = now()
        self.minute = int(self.began // MINUTE)
        self.row = list(_ZEROS)
        self._settled = list(_ZEROS)

    def add(self, column: int, amount: int = 1) -> None:
        """Count ``amount`` in ``column``, in the minute that it is."""
        minute = int(self._now() // MINUTE)
        if minute != self.minute:
            self.turn(minute)
        self.row[column] += amount

    def turn(self, minute: int) -> None:
        """Count in ``minute`` from now on."""
        self.settle()
        self.minute = minute

    def settle(self) -> None:
        """Bring what is pending into the history: to the minute in which it was counted."""
        if any(self.row):
            self._history.add(self.minute * MINUTE, self.row)
            self._settled = [sum(pair) for pair in zip(self._settled, self.row, strict=True)]
            self.row[:] = _ZEROS

    def since_start(self) -> Counters:
        """All that has been counted by this object."""
        return Counters([sum(pair) for pair in zip(self._settled, self.row, strict=True)])

    def rows(self, step: Step, count: int) -> list[tuple[float, Counters]]:
        """The latest ``count`` minutes, hours or days, the one that runs at the end.

        Each with its beginning, in seconds since the epoch.
        """
        self.settle()
        return self._history.rows(step, self._now(), count)

    def latest(self, step: Step) -> Counters:
        """The minute, hour or day that runs."""
        return self.rows(step, 1)[0][1]

    def in_minute(self) -> Counters:
        """All that was counted in ``minute``, also by others before a restart."""
        self.settle()
        [(_, counters)] = self._history.rows(Step.MINUTE, self.minute * MINUTE, 1)
        return counters
