"""A quota of which workers spend a part by themselves: exact all the same, whatever happens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubmirror.coordination.board import Board
from hubmirror.coordination.leases import LASTS, MARGIN, Lease, Leases
from hubmirror.question import Outcome
from hubmirror.quota.accounts import Dimension
from hubmirror.quota.books import MemoryBooks
from hubmirror.quota.counters import ADMITTED, BYTES_OUT, column_of
from hubmirror.quota.history import MemoryHistory
from hubmirror.quota.kinds import Kind
from hubmirror.quota.ledger import MemoryLedger
from hubmirror.quota.quota import Quota, Spending
from hubmirror.quota.rules import ClientLimits, Reserve, Rules
from hubmirror.quota.window import DAY, MINUTE
from tests.quota.test_quota import ANYBODY, CI, NETWORKS, NOON, TODAY, question

#: Until what was leased and not spent is the keeper's again, in seconds.
LAPSED = (LASTS + MARGIN) / 1000 + 0.01


class Scene:
    """A keeper's quota, workers that spend of it, and one clock for all of them."""

    def __init__(self, folder: Path, workers: int = 2, **rules: object) -> None:
        self.now = NOON
        self.warned: list[int] = []
        self.ledger, self.history, self.books = MemoryLedger(), MemoryHistory(), MemoryBooks()
        self.board = Board(folder / "board")
        self.rules = Rules(networks=NETWORKS, **rules)  # type: ignore[arg-type]
        self.quota = self._begin()
        self.workers = [
            Lease(self.board.seats[seat], ADMITTED, self.time) for seat in range(1, workers + 1)
        ]

    def time(self) -> float:
        """The wall clock, and the monotonic one."""
        return self.now

    def ask(self, times: int = 1, address: str = ANYBODY) -> int:
        """Ask the keeper; how many may go upstream."""
        return sum(self.quota.admit(question(address)).refusal is None for _ in range(times))

    def spend(self, worker: int = 0, times: int = 1) -> int:
        """Let a worker spend; how often it could."""
        return sum(self.workers[worker].spend() for _ in range(times))

    def lease(self) -> None:
        """All workers want some, and the keeper's round follows."""
        for worker in range(len(self.workers)):
            assert self.spend(worker, 0) == 0
            self.workers[worker].is_open()
        self.quota.lease()

    def all_leave(self) -> None:
        """No worker is there any more, and what they held is free again."""
        for seat in self.board.seats:
            seat.vacate()
        self.now += LAPSED
        self.quota.lease()

    def restart(self) -> None:
        """A new keeper, which finds what the last one has left."""
        self.quota.settle()
        for day, entries in self.quota.take_changes():
            self.books.save(day, entries)
        self.quota = self._begin()

    def _begin(self) -> Quota:
        leases = Leases(self.board, ADMITTED, self.time)
        return Quota(
            self.rules,
            self.ledger,
            self.history,
            self.books,
            self.time,
            self.warned.append,
            leases,
        )


def test_own_and_leased_requests_are_one_count(tmp_path: Path) -> None:
    """Of the day and of the minute, as soon as anybody looks."""
    scene = Scene(tmp_path, per_day=100_000, per_minute=50_000)
    scene.lease()
    assert scene.ask(10) == 10
    assert scene.spend(0, 20) == 20
    assert scene.spend(1, 30) == 30
    day, minute = scene.quota.day(), scene.quota.minute()
    assert (day.used, day.remaining) == (60, 99_940)
    assert (minute.used, minute.remaining) == (60, 49_940)
    assert scene.ledger.used(TODAY) == 60


def test_without_limits_all_is_counted(tmp_path: Path) -> None:
    """And nothing is too much."""
    scene = Scene(tmp_path)
    scene.lease()
    assert scene.spend(0, 100) == 100
    assert scene.ask(5) == 5
    assert scene.quota.day().used == scene.quota.minute().used == 105
    assert scene.quota.day().remaining is None


@pytest.mark.parametrize("window", ["per_day", "per_minute"])
def test_no_limit_is_passed(tmp_path: Path, window: str) -> None:
    """Nor is any of it left over, for who asks the keeper in the end."""
    scene = Scene(tmp_path, **{window: 5000})
    spent = asked = 0
    for _ in range(100):
        scene.lease()
        spent += sum(scene.spend(worker, 100) for worker in (0, 1))
        asked += scene.ask(1)
    scene.now += LAPSED
    scene.quota.lease()
    asked += scene.ask(10_000)
    assert spent > 1000
    assert spent + asked == 5000
    status = scene.quota.day() if window == "per_day" else scene.quota.minute()
    assert (status.used, status.remaining) == (5000, 0)
    assert scene.spend(0) == scene.ask() == 0


def test_what_is_leased_is_not_there_for_others(tmp_path: Path) -> None:
    """Until it is given back."""
    scene = Scene(tmp_path, per_day=2048, workers=1)
    scene.lease()
    assert scene.workers[0].is_open()
    asked = scene.ask(4000)
    assert asked < 2048
    left = scene.spend(0, 4000)
    assert asked + left == 2048


def test_warnings_count_what_was_spent_elsewhere(tmp_path: Path) -> None:
    """Each is told once."""
    scene = Scene(tmp_path, per_day=10_000, workers=1)
    for _ in range(200):
        scene.lease()
        scene.spend(0, 50)
    scene.now += LAPSED
    scene.quota.lease()
    scene.ask(10_000)
    assert scene.quota.day().used == 10_000
    assert scene.warned == [50, 80, 95]


@pytest.mark.parametrize(
    "rules",
    [
        {"clients": (ClientLimits(requests_per_day=5),)},
        {"reserves": (Reserve(50, ("ci",)),)},
    ],
    ids=["clients", "reserves"],
)
def test_where_some_have_rules_of_their_own_nothing_is_leased(
    tmp_path: Path, rules: dict[str, Any]
) -> None:
    """The keeper decides about each request."""
    scene = Scene(tmp_path, per_day=100_000, **rules)
    for _ in range(3):
        scene.lease()
        assert scene.spend(0) == 0
    assert scene.ask(3, CI) == 3


def test_rules_that_change_end_leases(tmp_path: Path) -> None:
    """Those of workers that are idle: what they held lapses, and nothing is leased anew."""
    scene = Scene(tmp_path, per_day=100_000)
    scene.lease()
    scene.spend(0, 10)
    scene.quota.lease()
    scene.quota.rules = Rules(per_day=100_000, clients=(ClientLimits(requests_per_day=5),))
    scene.now += LAPSED
    scene.quota.lease()
    scene.lease()
    assert scene.spend(0) == 0
    assert scene.quota.day().used == 10


def test_rules_that_change_end_leases_of_the_busy(tmp_path: Path) -> None:
    """Also of who spends all the time: what was leased lapses, however much of it is left."""
    scene = Scene(tmp_path, per_day=100_000)
    scene.lease()
    scene.quota.rules = Rules(per_day=100_000, clients=(ClientLimits(requests_per_day=5),))
    for _ in range(int(10 * LAPSED)):
        scene.spend(0, 1)
        scene.now += 0.1
        scene.quota.lease()
    assert scene.spend(0) == 0


def test_a_keeper_warns_once_it_is_there(tmp_path: Path) -> None:
    """What it finds to have been spent meanwhile is told with the next count, not before."""
    scene = Scene(tmp_path, per_day=1_000)
    scene.ask(499)
    scene.quota.rules = scene.rules
    scene.board.seats[1].counts[ADMITTED] += 10
    scene.quota.take_changes()
    scene.warned.clear()
    scene.quota = scene._begin()
    assert scene.warned == []
    scene.ask()
    assert scene.warned == [50]


def test_over_midnight(tmp_path: Path) -> None:
    """What was spent counts in the day in which the keeper hears of it; none counts twice."""
    scene = Scene(tmp_path, per_day=10_000)
    scene.now = (TODAY + 1) * DAY - 0.2
    scene.lease()
    scene.spend(0, 10)
    scene.quota.lease()
    scene.spend(0, 5)
    scene.now += 0.3
    scene.spend(0, 7)
    assert scene.quota.day().used + scene.ledger.used(TODAY) == 22
    assert scene.ledger.used(TODAY) == 22
    scene.spend(0, 3)
    assert scene.quota.day().used == scene.quota.minute().used == 3
    scene.all_leave()
    assert scene.ask(20_000) == 10_000 - 3


def test_over_a_minutes_turn(tmp_path: Path) -> None:
    """What is out is held of the new minute, too: it may be spent in that."""
    scene = Scene(tmp_path, per_minute=2048, workers=1)
    scene.lease()
    scene.now = NOON + MINUTE - 0.001
    scene.lease()
    scene.spend(0, 10)
    scene.now = NOON + MINUTE
    assert scene.quota.minute().used == 0
    spent = scene.spend(0, 4000)
    assert spent + scene.ask(4000) == 2048
    assert scene.quota.minute().used == 2048
    assert scene.quota.day().used == 2058


def test_a_keeper_that_starts_anew_goes_on(tmp_path: Path) -> None:
    """It counts what was spent while there was none, and holds what is still out."""
    scene = Scene(tmp_path, per_day=4096, per_minute=4096, workers=1)
    scene.lease()
    scene.spend(0, 10)
    scene.quota.lease()
    scene.spend(0, 5)
    scene.restart()
    scene.spend(0, 7)
    assert scene.quota.day().used == scene.quota.minute().used == 22
    asked = scene.ask(5000)
    assert asked + scene.spend(0, 5000) == 4096 - 22
    assert scene.quota.day().used == 4096


def test_what_is_counted_beside_goes_into_the_history(tmp_path: Path) -> None:
    """Kinds, outcomes and bytes: as if it had been here."""
    scene = Scene(tmp_path)
    scene.lease()
    scene.spend(0, 3)
    counts = scene.workers[0].counts
    hits = column_of(Kind.BLOB, Outcome.HIT)
    counts[hits] += 3
    counts[BYTES_OUT] += 1000
    scene.quota.settle()
    row = scene.quota.tally.in_minute().row
    assert (row[ADMITTED], row[hits], row[BYTES_OUT]) == (3, 3, 1000)
    scene.quota.settle()
    assert scene.quota.tally.in_minute().row[hits] == 3


def test_absorbs_by_whom_it_was_spent(tmp_path: Path) -> None:
    """Into the accounts alone: it has been counted."""
    scene = Scene(tmp_path)
    scene.ask(2, CI)
    before = scene.quota.day().used
    spendings = [
        Spending(CI, None, "library/busybox", 5, 10, 1000),
        Spending(CI, "alice", "library/alpine", 1, 1, 500),
    ]
    scene.quota.absorb(spendings)
    told = {
        entry.name: (entry.requests, entry.bytes_out)
        for dimension in Dimension
        for entry in scene.quota.top(dimension, 10)
    }
    assert told[CI] == told["ci"] == (8, 1500)
    assert told["library/busybox"] == (7, 1000)
    assert told["library/alpine"] == told["alice"] == (1, 500)
    assert scene.quota.day().used == before


@settings(max_examples=60)
@given(
    st.integers(0, 5000),
    st.lists(
        st.tuples(
            st.sampled_from(["ask", "spend", "lease", "wait", "restart"]), st.integers(1, 300)
        ),
        max_size=60,
    ),
)
def test_the_day_is_exact_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, limit: int, actions: list[tuple[str, int]]
) -> None:
    """Whoever spends, and whenever the keeper looks, leases, or starts anew."""
    limit += 1
    scene = Scene(tmp_path_factory.mktemp("board"), per_day=limit)
    let_through = 0
    for action, amount in actions:
        if action == "ask":
            let_through += scene.ask(amount)
        elif action == "spend":
            let_through += scene.spend(amount % 2, amount)
        elif action == "lease":
            scene.lease()
        elif action == "wait":
            scene.now += amount / 100
        else:
            scene.restart()
        assert let_through <= limit
    assert scene.quota.day().used == let_through
    scene.all_leave()
    assert scene.ask(limit + 1) == limit - let_through
