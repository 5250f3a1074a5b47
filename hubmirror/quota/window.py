"""The windows that requests are counted in: the day, from midnight to midnight UTC, and the minute.

Times are in seconds since 1970-01-01T00:00:00Z; days and minutes are counted from there.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from typing import Final

__all__ = ["DAY", "MINUTE", "day_of", "end_of", "moment", "rfc3339", "seconds_to_end"]

MINUTE: Final = 60
DAY: Final = 86400
EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


def day_of(seconds: float) -> int:
    """The day that holds the moment ``seconds``."""
    return math.floor(seconds / DAY)


def seconds_to_end(seconds: float, window: int) -> int:
    """How long until the window (``DAY`` or ``MINUTE``) of ``seconds`` ends: rounded up, from 1."""
    end = (math.floor(seconds / window) + 1) * window
    return max(1, math.ceil(end - seconds))


def end_of(seconds: float, window: int) -> datetime:
    """The moment that ends the window of ``seconds``."""
    return moment((math.floor(seconds / window) + 1) * window)


def moment(seconds: float) -> datetime:
    """``seconds`` since the epoch, in UTC."""
    return EPOCH + timedelta(seconds=seconds)


def rfc3339(moment: datetime) -> str:
    """``moment``, in UTC, as RFC 3339 writes it: ``2026-01-02T00:00:00Z``."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
