"""The day's quota: so many requests from midnight to midnight UTC, as a Worker's plan has it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from attrs import define, frozen

from hubmirror.errors import TooManyRequests
from hubmirror.quota.ledger import ILedger
from hubmirror.quota.window import day_of, reset_after, rfc3339, seconds_to_reset

__all__ = ["DailyQuota", "QuotaStatus"]


@frozen
class QuotaStatus:
    """Where the day's count stands. ``limit`` 0 is no limit, and ``remaining`` is then None."""

    limit: int
    used: int
    remaining: int | None
    reset: datetime

    def as_json(self) -> dict[str, object]:
        """The object that ``GET /quota`` answers; without a limit, ``limit`` is null, too."""
        return {
            "limit": self.limit or None,
            "used": self.used,
            "remaining": self.remaining,
            "reset": rfc3339(self.reset),
        }


@define
class DailyQuota:
    """Counts what is let through, and lets no more than ``limit`` (0: any number) through a day.

    ``now`` tells the seconds since the epoch. ``limit`` may be set anew at any time.
    """

    limit: int
    _ledger: ILedger
    _now: Callable[[], float]

    def spend(self) -> None:
        """Count one request, or raise ``TooManyRequests`` where the day's are spent."""
        now = self._now()
        day = day_of(now)
        if self.limit and self._ledger.used(day) >= self.limit:
            raise TooManyRequests(
                f"this mirror's {self.limit} requests for today are spent; "
                f"the count starts anew at {rfc3339(reset_after(now))}",
                headers={"Retry-After": str(seconds_to_reset(now))},
            )
        self._ledger.add(day)

    def status(self) -> QuotaStatus:
        """The count as it stands."""
        now = self._now()
        used = self._ledger.used(day_of(now))
        remaining = max(0, self.limit - used) if self.limit else None
        return QuotaStatus(self.limit, used, remaining, reset_after(now))
