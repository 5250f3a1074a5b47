"""Where the day is heading: how much is spent at its end, and when the limit is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from attrs import frozen

from hubmirror.quota.counters import Counters
from hubmirror.quota.window import DAY, MINUTE

__all__ = ["MINUTES", "Forecast", "forecast"]

#: How many minutes of the history a forecast needs: an hour, and the minute that runs.
MINUTES: Final = 61


@frozen
class Forecast:
    """``used_at_reset`` requests will be counted when the day ends.

    The limit is reached at ``exhausted_at``, in seconds since the epoch; None where it is not
    before the day's end, where there is no limit, and where it is reached already.
    """

    used_at_reset: int
    exhausted_at: float | None


def forecast(
    used: int, limit: int, minutes: Sequence[tuple[float, Counters]], now: float, began: float
) -> Forecast:
    """The day goes on as the last hour went, of which ``minutes`` tell (see ``Tally.rows``).

    ``used`` of ``limit`` (0: none) are counted today, at ``now``. The hour reaches over midnight:
    clients don't know of our days. Where nothing was counted before this process ``began``, it
    is only as long as the process is old. All is reckoned from the last full minute on, so a
    forecast changes once a minute, and no moment is too short to divide by.
    """
    start, running = minutes[-1][0], minutes[-1][1].admitted
    before = max(0, used - running)
    rate = _rate(minutes, began)
    end = (math.floor(now / DAY) + 1) * DAY
    used_at_reset = max(used, round(before + rate * (end - start)))
    if not limit or used >= limit or used_at_reset < limit:
        return Forecast(used_at_reset, None)
    exhausted_at = start + (limit - before) / rate
    return Forecast(used_at_reset, min(max(exhausted_at, start + MINUTE), end))


def _rate(minutes: Sequence[tuple[float, Counters]], began: float) -> float:
    """Requests a second, of the full minutes; of the one that runs where there is no other."""
    start, running = minutes[-1]
    full = minutes[:-1]
    counted = [beginning for beginning, row in full if row.admitted]
    first = min([math.floor(began / MINUTE) * MINUTE, *counted])
    seconds = start - max(first, full[0][0]) if full else 0
    if seconds <= 0:
        return running.admitted / MINUTE
    return sum(row.admitted for _, row in full) / seconds
