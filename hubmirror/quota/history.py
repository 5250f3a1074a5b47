"""What was counted: a day's minutes, five weeks' hours, four hundred days."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from zope.interface import Interface, implementer

from hubmirror.quota.counters import WIDTH, Counters

__all__ = ["IHistory", "MemoryHistory", "Step"]


class Step(Enum):
    """How long the time of a row is, in seconds, and how many of its kind are kept."""

    MINUTE = (60, 24 * 60)
    HOUR = (3600, 35 * 24)
    DAY = (86400, 400)

    @property
    def seconds(self) -> int:
        """How long one is."""
        return self.value[0]

    @property
    def kept(self) -> int:
        """How many are kept, the one that runs included."""
        return self.value[1]


class IHistory(Interface):
    """Rows of counters by minute, hour and day (UTC).

    ``moment`` and ``until`` are seconds since the epoch, in whatever order they come: a clock
    that steps back finds the rows as it left them.
    """

    def add(moment: float, row: Sequence[int]) -> None:
        """Add ``WIDTH`` numbers to the minute, the hour and the day that hold ``moment``.

        None is negative.
        """

    def rows(step: Step, until: float, count: int) -> list[tuple[float, Counters]]:
        """The ``count`` rows up to the one that holds ``until``, each with its beginning.

        A time in which nothing was counted, or that is no longer kept, has a row of zeros.
        """

    def flush() -> None:
        """Bring all to the disk. Blocks; may be called from any thread. Raises ``OSError``."""

    def close() -> None:
        """Flush and end. Nothing is called afterwards."""


@implementer(IHistory)
class MemoryHistory:
    """Rows that end with the process."""

    def __init__(self) -> None:
        self._rows: dict[tuple[Step, int], list[int]] = {}

    def add(self, moment: float, row: Sequence[int]) -> None:
        """See ``IHistory``."""
        for step in Step:
            time = step, int(moment // step.seconds)
            kept = self._rows.get(time, [0] * WIDTH)
            self._rows[time] = [sum(pair) for pair in zip(kept, row, strict=True)]

    def rows(self, step: Step, until: float, count: int) -> list[tuple[float, Counters]]:
        """See ``IHistory``."""
        last = int(until // step.seconds)
        return [
            (number * step.seconds, Counters(self._rows.get((step, number), [0] * WIDTH)))
            for number in range(last - count + 1, last + 1)
        ]

    def flush(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""
