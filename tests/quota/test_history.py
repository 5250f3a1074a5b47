"""Histories: one contract for all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from zope.interface.verify import verifyObject

from hubmirror.quota.counters import WIDTH
from hubmirror.quota.history import IHistory, MemoryHistory, Step
from hubmirror.quota.history_file import FileHistory
from tests.quota.rows import NEW_YEAR, row


def first_columns(history: IHistory, step: Step, until: float, count: int) -> list[int]:
    """The first number of each row."""
    return [counters.row[0] for _, counters in history.rows(step, until, count)]


class HistoryContract:
    """What any history does."""

    @pytest.fixture
    def history(self, tmp_path: Path) -> Iterator[IHistory]:
        """An empty history."""
        raise NotImplementedError

    def test_provides_the_interface(self, history: IHistory) -> None:
        """Signatures are those of ``IHistory``."""
        assert verifyObject(IHistory, history)

    @pytest.mark.parametrize("step", Step)
    def test_begins_with_zeros(self, history: IHistory, step: Step) -> None:
        """All that is kept of a step can be asked for, and each row is whole."""
        rows = history.rows(step, NEW_YEAR, step.kept)
        assert [counters.row for _, counters in rows] == [[0] * WIDTH] * step.kept

    @pytest.mark.parametrize("step", Step)
    def test_rows_follow_one_another(self, history: IHistory, step: Step) -> None:
        """Oldest first, each with its beginning; the last holds the moment that was asked for."""
        starts = [start for start, _ in history.rows(step, NEW_YEAR + step.seconds - 0.5, 3)]
        assert starts == [NEW_YEAR - 2 * step.seconds, NEW_YEAR - step.seconds, NEW_YEAR]

    def test_adds_to_minute_hour_and_day(self, history: IHistory) -> None:
        """Each column by itself, in all three."""
        numbers = list(range(WIDTH))
        history.add(NEW_YEAR, numbers)
        history.add(NEW_YEAR + 59.999, numbers)
        for step in Step:
            ((start, counters),) = history.rows(step, NEW_YEAR, 1)
            assert start == NEW_YEAR
            assert list(counters.row) == [2 * number for number in numbers]

    def test_times_are_apart(self, history: IHistory) -> None:
        """The next minute is the same hour's, the next hour the same day's."""
        for seconds in (0, 60, 3600):
            history.add(NEW_YEAR + seconds, row(1))
        assert first_columns(history, Step.MINUTE, NEW_YEAR + 60, 3) == [0, 1, 1]
        assert first_columns(history, Step.HOUR, NEW_YEAR + 3600, 3) == [0, 2, 1]
        history.add(NEW_YEAR + 86400, row(1))
        assert first_columns(history, Step.DAY, NEW_YEAR + 86400, 3) == [0, 3, 1]

    def test_a_time_without_requests_is_zeros(self, history: IHistory) -> None:
        """So is one in which the daemon did not run."""
        history.add(NEW_YEAR, row(1))
        history.add(NEW_YEAR + 3 * 86400, row(2))
        assert first_columns(history, Step.DAY, NEW_YEAR + 4 * 86400, 5) == [1, 0, 0, 2, 0]

    def test_a_clock_that_steps_back_finds_its_rows(self, history: IHistory) -> None:
        """And adds to them, there as here."""
        for moment in (NEW_YEAR, NEW_YEAR - 600, NEW_YEAR + 600, NEW_YEAR, NEW_YEAR - 600):
            history.add(moment, row(1))
        assert first_columns(history, Step.MINUTE, NEW_YEAR + 600, 21)[::10] == [2, 2, 1]

    @pytest.mark.parametrize("step", Step)
    def test_all_that_is_kept_is_there(self, history: IHistory, step: Step) -> None:
        """The oldest row of a full ring is not the newest one's place."""
        moments = [NEW_YEAR + number * step.seconds for number in range(step.kept)]
        for number, moment in enumerate(moments):
            history.add(moment, row(number + 1))
        expected = list(range(1, step.kept + 1))
        assert first_columns(history, step, moments[-1], step.kept) == expected

    @pytest.mark.parametrize("moment", [0.0, -1.0, -1e9, 1e17])
    def test_any_moment_counts(self, history: IHistory, moment: float) -> None:
        """A clock that is badly wrong is no reason to fail."""
        history.add(moment, row(1))
        for step in Step:
            assert first_columns(history, step, moment, 1) == [1]

    def test_what_was_read_stays_as_it_was(self, history: IHistory) -> None:
        """A row that somebody holds does not change under them."""
        history.add(NEW_YEAR, row(1))
        ((_, counters),) = history.rows(Step.DAY, NEW_YEAR, 1)
        history.add(NEW_YEAR, row(1))
        assert counters.row[0] == 1

    def test_flush_changes_nothing(self, history: IHistory) -> None:
        """It may be called at any time, and again."""
        history.flush()
        history.add(NEW_YEAR, row(1))
        history.flush()
        history.flush()
        assert first_columns(history, Step.DAY, NEW_YEAR, 1) == [1]


class TestMemoryHistory(HistoryContract):
    """The contract, in memory."""

    @pytest.fixture
    def history(self, tmp_path: Path) -> IHistory:
        return MemoryHistory()


class TestFileHistory(HistoryContract):
    """The contract, in a file."""

    @pytest.fixture
    def history(self, tmp_path: Path) -> Iterator[IHistory]:
        history = FileHistory(tmp_path / "history")
        yield history
        history.close()
