"""The day's quota: what it lets through, and what it says when it is spent."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from attrs import define, field

from hubmirror.errors import TooManyRequests
from hubmirror.quota.daily import DailyQuota, QuotaStatus
from hubmirror.quota.ledger import MemoryLedger

NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
MIDNIGHT = datetime(2026, 1, 2, tzinfo=timezone.utc)
DAY = 86400.0


@define
class WallClock:
    """A wall clock that stands still until it is set."""

    seconds: float = field(factory=NOON.timestamp)

    def __call__(self) -> float:
        return self.seconds


def quota(limit: int, clock: WallClock | None = None) -> DailyQuota:
    """A quota of which nothing is spent."""
    return DailyQuota(limit, MemoryLedger(), clock or WallClock())


def spend(quota: DailyQuota, times: int) -> None:
    """Spend some of ``quota``."""
    for _ in range(times):
        quota.spend()


def test_counts_what_is_let_through() -> None:
    """Each request is one, and the status says what is left."""
    daily = quota(5)
    spend(daily, 2)
    assert daily.status() == QuotaStatus(limit=5, used=2, remaining=3, reset=MIDNIGHT)


def test_refuses_when_spent() -> None:
    """The error says why and until when, for people and for programs."""
    daily = quota(2)
    spend(daily, 2)
    with pytest.raises(TooManyRequests) as caught:
        daily.spend()
    assert caught.value.message == (
        "this mirror's 2 requests for today are spent; "
        "the count starts anew at 2026-01-02T00:00:00Z"
    )
    assert caught.value.headers == {"Retry-After": "43200"}


def test_refused_requests_do_not_count() -> None:
    """``used`` is what was let through: it never exceeds the limit."""
    daily = quota(2)
    spend(daily, 2)
    for _ in range(3):
        with pytest.raises(TooManyRequests):
            daily.spend()
    assert daily.status() == QuotaStatus(limit=2, used=2, remaining=0, reset=MIDNIGHT)


def test_begins_anew_at_midnight() -> None:
    """What was spent yesterday is no matter; a clock set back finds its count again."""
    clock = WallClock()
    daily = quota(1, clock)
    daily.spend()
    clock.seconds += DAY
    daily.spend()
    clock.seconds -= DAY
    with pytest.raises(TooManyRequests):
        daily.spend()


def test_no_limit_still_counts() -> None:
    """Limit 0 lets everything through, and knows how much."""
    daily = quota(0)
    spend(daily, 3)
    assert daily.status() == QuotaStatus(limit=0, used=3, remaining=None, reset=MIDNIGHT)


def test_the_limit_may_change() -> None:
    """A new limit holds at once, and for what is spent already."""
    daily = quota(2)
    spend(daily, 2)
    daily.limit = 3
    daily.spend()
    daily.limit = 1
    assert daily.status() == QuotaStatus(limit=1, used=3, remaining=0, reset=MIDNIGHT)
    with pytest.raises(TooManyRequests, match="1 requests"):
        daily.spend()


def test_as_json() -> None:
    """The shape that the quota endpoint answers."""
    assert quota(7).status().as_json() == {
        "limit": 7,
        "used": 0,
        "remaining": 7,
        "reset": "2026-01-02T00:00:00Z",
    }
    assert quota(0).status().as_json() == {
        "limit": None,
        "used": 0,
        "remaining": None,
        "reset": "2026-01-02T00:00:00Z",
    }
