"""The UTC day."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.quota.window import day_of, reset_after, rfc3339, seconds_to_reset

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
def test_seconds_to_reset_are_rounded_up(into_the_day: float, left: int) -> None:
    """Who waits that long finds a new day."""
    assert seconds_to_reset(BEGINNING + into_the_day) == left


def test_reset_is_the_next_midnight() -> None:
    """As a time, and as RFC 3339 writes it."""
    reset = reset_after(BEGINNING + 1)
    assert reset == datetime(2026, 1, 2, tzinfo=timezone.utc)
    assert rfc3339(reset) == "2026-01-02T00:00:00Z"


@given(st.floats(0, 4e9))
def test_reset_agrees_with_the_day(seconds: float) -> None:
    """The reset begins the next day, within 1 to 86,400 seconds."""
    assert day_of(reset_after(seconds).timestamp()) == day_of(seconds) + 1
    assert 1 <= seconds_to_reset(seconds) <= 86400
    assert day_of(seconds + seconds_to_reset(seconds)) == day_of(seconds) + 1
