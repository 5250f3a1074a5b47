"""The window that requests are counted in: the day, from midnight to midnight UTC.

Times are in seconds since 1970-01-01T00:00:00Z, days are counted from there.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from typing import Final

__all__ = ["day_of", "reset_after", "rfc3339", "seconds_to_reset"]

SECONDS_PER_DAY: Final = 86400
EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


def day_of(seconds: float) -> int:
    """The day that holds the moment ``seconds``."""
    return math.floor(seconds / SECONDS_PER_DAY)


def reset_after(seconds: float) -> datetime:
    """The midnight that ends the day of ``seconds``."""
    return EPOCH + timedelta(days=day_of(seconds) + 1)


def seconds_to_reset(seconds: float) -> int:
    """How long until that midnight, rounded up, and 1 at least."""
    end = (day_of(seconds) + 1) * SECONDS_PER_DAY
    return max(1, math.ceil(end - seconds))


def rfc3339(moment: datetime) -> str:
    """``moment``, in UTC, as RFC 3339 writes it: ``2026-01-02T00:00:00Z``."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
