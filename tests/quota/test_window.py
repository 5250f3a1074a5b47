"""The UTC day, and the minute."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.quota.window import DAY, MINUTE, day_of, end_of, moment, rfc3339, seconds_to_end

NEW_YEAR = datetime(2026, 1, 1, tzinfo=timezone.utc)
BEGINNING = NEW_YEAR.timestamp()


def test_a_day_lasts_from_midnight_to_midnight() -> None:
    """The first and the last moment of a day are in it, the next midnight is not."""
    day = (NEW_YEAR - datetime(1970, 1, 1, tzinfo=timezone.utc)).days
    assert day_of(BEGINNING) == day_of(BEGINNING + 86399.999) == day
    assert day_of(BEGINNING - 0.001) == day - 1
    assert day_of(BEGINNING + 86400) == day + 1


@pytest.mark.parametrize(
    ("into_the_day", "left"), [(0, 86400), (0.5, 86400), (1, 86399), (86399, 1), (86399.999, 1)]
)
def test_seconds_to_the_end_of_the_day_are_rounded_up(into_the_day: float, left: int) -> None:
    """Who waits that long finds a new day."""
    assert seconds_to_end(BEGINNING + into_the_day, DAY) == left


@pytest.mark.parametrize(
    ("into_the_minute", "left"), [(0, 60), (0.5, 60), (1, 59), (59, 1), (59.999, 1), (60, 60)]
)
def test_seconds_to_the_end_of_the_minute_are_rounded_up(into_the_minute: float, left: int) -> None:
    """Who waits that long finds a new minute."""
    assert seconds_to_end(BEGINNING + into_the_minute, MINUTE) == left


@pytest.mark.parametrize(
    ("window", "seconds", "end"),
    [
        (DAY, 0, "2026-01-02T00:00:00Z"),
        (DAY, 86399.9, "2026-01-02T00:00:00Z"),
        (DAY, -1, "2026-01-01T00:00:00Z"),
        (MINUTE, 0, "2026-01-01T00:01:00Z"),
        (MINUTE, 59.9, "2026-01-01T00:01:00Z"),
        (MINUTE, 86399, "2026-01-02T00:00:00Z"),
    ],
)
def test_the_end_is_when_the_next_begins(window: int, seconds: float, end: str) -> None:
    """As RFC 3339 writes it."""
    assert rfc3339(end_of(BEGINNING + seconds, window)) == end


def test_a_moment_is_in_utc() -> None:
    """With its fraction, also before 1970; RFC 3339 is written in whole seconds."""
    assert moment(BEGINNING) == NEW_YEAR
    assert moment(BEGINNING).tzinfo is timezone.utc
    assert moment(0.25).microsecond == 250_000
    assert rfc3339(moment(-0.5)) == "1969-12-31T23:59:59Z"


@given(st.floats(0, 4e9), st.sampled_from([DAY, MINUTE]))
def test_the_end_agrees_with_the_window(seconds: float, window: int) -> None:
    """It begins the next window, within 1 second and the whole length of one."""
    left = seconds_to_end(seconds, window)
    assert 1 <= left <= window
    assert end_of(seconds, window).timestamp() // window == seconds // window + 1
    assert (seconds + left) // window == seconds // window + 1


@given(st.floats(-4e9, 4e9))
def test_the_end_of_the_day_agrees_with_the_day(seconds: float) -> None:
    """The next day is the one that begins there."""
    assert day_of(end_of(seconds, DAY).timestamp()) == day_of(seconds) + 1
