"""The tally: each number in the minute in which it was counted."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from hubmirror.quota.counters import ADMITTED, BYTES_OUT, PULLS
from hubmirror.quota.history import MemoryHistory, Step
from hubmirror.quota.tally import Tally
from tests.quota.rows import NEW_YEAR, row


@pytest.fixture
def clock() -> Clock:
    """It is New Year."""
    clock = Clock()
    clock.rightNow = NEW_YEAR
    return clock


@pytest.fixture
def history() -> MemoryHistory:
    """Empty."""
    return MemoryHistory()


@pytest.fixture
def tally(history: MemoryHistory, clock: Clock) -> Tally:
    """Nothing is counted yet."""
    return Tally(history, clock.seconds)


def admitted(tally: Tally, step: Step, count: int) -> list[int]:
    """One column of the latest rows."""
    return [counters.admitted for _, counters in tally.rows(step, count)]


def test_begins_at_zero(tally: Tally) -> None:
    """With whole rows."""
    assert list(tally.since_start().row) == list(tally.latest(Step.DAY).row) == row()


def test_adds_to_a_column(tally: Tally) -> None:
    """One, or what is said; to this column alone."""
    tally.add(ADMITTED)
    tally.add(ADMITTED)
    tally.add(BYTES_OUT, 1000)
    for counters in (tally.since_start(), *(tally.latest(step) for step in Step)):
        assert (counters.row[ADMITTED], counters.row[BYTES_OUT]) == (2, 1000)
        assert sum(counters.row) == 1002


def test_what_is_settled_is_in_the_history(tally: Tally, history: MemoryHistory) -> None:
    """Once, and not before: a disk has work each second at most."""
    tally.add(ADMITTED)
    assert history.rows(Step.DAY, NEW_YEAR, 1)[0][1].admitted == 0
    tally.settle()
    tally.settle()
    assert history.rows(Step.DAY, NEW_YEAR, 1)[0][1].admitted == 1


def test_settling_is_only_a_move(tally: Tally) -> None:
    """All that was counted since the start stays, settled or not."""
    tally.add(PULLS)
    tally.settle()
    tally.add(PULLS, 2)
    assert tally.since_start().row[PULLS] == 3
    assert tally.latest(Step.MINUTE).row[PULLS] == 3


def test_each_number_goes_to_its_minute(tally: Tally, clock: Clock) -> None:
    """The last moment of one minute and the first of the next, without a settle in between."""
    clock.advance(59.9)
    tally.add(ADMITTED)
    clock.advance(0.1)
    tally.add(ADMITTED, 2)
    assert admitted(tally, Step.MINUTE, 3) == [0, 1, 2]
    assert admitted(tally, Step.DAY, 1) == [3]


def test_what_is_settled_late_goes_to_its_own_minute(tally: Tally, clock: Clock) -> None:
    """Not to the one in which somebody looks, days later perhaps."""
    tally.add(ADMITTED)
    clock.advance(2 * 86400)
    assert admitted(tally, Step.DAY, 3) == [1, 0, 0]
    assert tally.latest(Step.MINUTE).admitted == 0


def test_an_idle_minute_does_not_hold_back_the_next(tally: Tally, clock: Clock) -> None:
    """What is counted after a settle with nothing to do is in the minute that it is."""
    clock.advance(60)
    tally.settle()
    tally.add(ADMITTED)
    assert admitted(tally, Step.MINUTE, 2) == [0, 1]


def test_who_sees_to_the_minute_itself_adds_to_the_row(tally: Tally, clock: Clock) -> None:
    """The same list for good; what is in it is of the minute that was turned to last."""
    minute, row = tally.minute, tally.row
    row[ADMITTED] += 1
    clock.advance(60)
    row[ADMITTED] += 2
    tally.settle()
    row[ADMITTED] += 4
    tally.turn(minute + 1)
    row[ADMITTED] += 8
    assert tally.minute == minute + 1 == int((NEW_YEAR + 60) // 60)
    assert admitted(tally, Step.MINUTE, 2) == [7, 8]
    assert tally.since_start().admitted == 15


def test_what_was_counted_in_the_open_minute(tally: Tally, history: MemoryHistory) -> None:
    """By whomever, settled or not, and whatever time it is by now."""
    other = Tally(history, lambda: NEW_YEAR + 3)
    for one in (tally, other):
        one.add(ADMITTED)
        one.settle()
        one.add(ADMITTED)
    assert tally.in_minute().admitted == 3
    tally.turn(tally.minute + 1)
    assert tally.in_minute().admitted == 0
    tally.turn(tally.minute - 1)
    assert (tally.in_minute().admitted, other.in_minute().admitted) == (3, 4)


def test_a_clock_that_steps_back(tally: Tally, clock: Clock) -> None:
    """Each number stays where it was counted."""
    tally.add(ADMITTED)
    clock.rightNow = NEW_YEAR - 86400
    tally.add(ADMITTED, 2)
    assert admitted(tally, Step.DAY, 2) == [0, 2]
    clock.rightNow = NEW_YEAR
    tally.add(ADMITTED, 4)
    assert admitted(tally, Step.DAY, 2) == [2, 5]


def test_rows_have_their_beginnings(tally: Tally, clock: Clock) -> None:
    """In seconds since the epoch, oldest first."""
    clock.advance(90)
    assert [start for start, _ in tally.rows(Step.MINUTE, 2)] == [NEW_YEAR, NEW_YEAR + 60]
    assert [start for start, _ in tally.rows(Step.HOUR, 2)] == [NEW_YEAR - 3600, NEW_YEAR]


def test_two_tallies_of_one_history(history: MemoryHistory, clock: Clock, tally: Tally) -> None:
    """A restart: the history goes on, and the count since the start begins anew."""
    tally.add(ADMITTED)
    tally.settle()
    other = Tally(history, clock.seconds)
    other.add(ADMITTED)
    assert other.latest(Step.DAY).admitted == 2
    assert other.since_start().admitted == 1
