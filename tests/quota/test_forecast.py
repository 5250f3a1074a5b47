"""Where the day is heading."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.quota.counters import ADMITTED, WIDTH, Counters
from hubmirror.quota.forecast import MINUTES, Forecast, forecast
from hubmirror.quota.window import DAY, MINUTE

MIDNIGHT = 20000 * DAY
NOON = MIDNIGHT + DAY // 2
LONG_AGO = 0.0


def minutes(*admitted: int, now: float = NOON) -> list[tuple[float, Counters]]:
    """The latest minutes, the one that runs at the end; before them nothing was counted."""
    row = [0] * WIDTH
    numbers = [0] * (MINUTES - len(admitted)) + list(admitted)
    last = now // MINUTE
    return [
        (
            (last - MINUTES + 1 + at) * MINUTE,
            Counters([*row[:ADMITTED], number, *row[ADMITTED + 1 :]]),
        )
        for at, number in enumerate(numbers)
    ]


def test_the_day_goes_on_as_the_last_hour() -> None:
    """Ten a minute, twelve hours more."""
    rows = minutes(*[10] * 60, 0)
    assert forecast(7_000, 0, rows, NOON, LONG_AGO) == Forecast(7_000 + 7_200, None)


def test_tells_when_the_limit_is_reached() -> None:
    """A thousand are left: 100 minutes."""
    rows = minutes(*[10] * 60, 0)
    told = forecast(7_000, 8_000, rows, NOON, LONG_AGO)
    assert told.exhausted_at == NOON + 100 * MINUTE
    assert forecast(7_000, 14_201, rows, NOON, LONG_AGO).exhausted_at is None


def test_what_is_spent_already_is_not_forecast() -> None:
    """``remaining`` tells; a time that ticks would tell nothing."""
    rows = minutes(*[10] * 60, 5)
    assert forecast(8_000, 8_000, rows, NOON, LONG_AGO).exhausted_at is None


def test_an_idle_mirror_stays_where_it_is() -> None:
    """Nothing in the last hour."""
    assert forecast(5, 10, minutes(0), NOON, LONG_AGO) == Forecast(5, None)


def test_a_burst_in_a_quiet_hour_is_no_flood() -> None:
    """60 in one minute of an old process are 60 an hour."""
    assert forecast(60, 0, minutes(60, 0), NOON, LONG_AGO).used_at_reset == 60 + 12 * 60


def test_a_young_process_has_no_quiet_past() -> None:
    """It began a minute ago: 60 a minute, not an hour."""
    began = NOON - MINUTE
    assert forecast(60, 0, minutes(60, 0), NOON, began).used_at_reset == 60 + 12 * 3600


def test_a_restart_forgets_nothing() -> None:
    """What the history has of the time before it is the process's past, too."""
    rows = minutes(*[10] * 60, 0)
    assert forecast(600, 0, rows, NOON, NOON - MINUTE).used_at_reset == 600 + 7_200


def test_the_first_minute_of_a_process() -> None:
    """There is no full one: the one that runs counts as such."""
    now = NOON + 0.25
    assert forecast(6, 0, minutes(6, now=now), now, now).used_at_reset == 12 * 3600 / 10


def test_the_first_second_of_a_day_goes_on_as_yesterday() -> None:
    """Clients don't know of our days."""
    now = MIDNIGHT + 0.001
    rows = minutes(*[10] * 60, 1, now=now)
    assert forecast(1, 0, rows, now, LONG_AGO).used_at_reset == 14_400


def test_a_minute_that_runs_hot_is_not_in_the_past() -> None:
    """The limit, by the hour's rate, was to be reached before now: within this minute, then."""
    rows = minutes(*[60] * 60, 500)
    told = forecast(1_000, 1_001, rows, NOON + 30, LONG_AGO)
    assert told.exhausted_at == NOON + MINUTE * 501 / 60
    rows = minutes(*[6_000] * 60, 500)
    assert forecast(1_000, 1_001, rows, NOON + 30, LONG_AGO).exhausted_at == NOON + MINUTE


@pytest.mark.parametrize("seconds", [0, 1, 30, 59.9])
def test_stands_still_within_a_minute(seconds: float) -> None:
    """Who is told of each change is not told each second."""
    rows = minutes(*[10] * 60, 3)
    told = forecast(7_003, 9_000, rows, NOON + seconds, LONG_AGO)
    assert told == forecast(7_003, 9_000, rows, NOON, LONG_AGO)


@given(
    admitted=st.lists(st.integers(0, 10**9), min_size=1, max_size=MINUTES),
    second=st.floats(0, DAY - 0.01),
    age=st.floats(-DAY, 2 * DAY),
    used=st.integers(0, 10**12),
    limit=st.integers(0, 10**12),
)
def test_holds_at_any_moment(
    admitted: list[int], second: float, age: float, used: int, limit: int
) -> None:
    """No division by nothing, no time in the past or on another day; clocks step back."""
    now = MIDNIGHT + second
    told = forecast(used, limit, minutes(*admitted, now=now), now, now - age)
    assert told.used_at_reset >= used
    if told.exhausted_at is not None:
        assert now // MINUTE * MINUTE < told.exhausted_at <= MIDNIGHT + DAY
        assert told.used_at_reset >= limit > used
        assert datetime.fromtimestamp(told.exhausted_at, timezone.utc)
