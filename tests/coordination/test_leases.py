"""What workers may spend: never more than was leased, and none of it is lost or counted twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock

from hubmirror.coordination.board import COUNTS, Board
from hubmirror.coordination.leases import LASTS, LEAST, MARGIN, Lease, Leases
from tests.coordination.other_process import other_process

COLUMN = 3
PLENTY = 1_000_000
#: In seconds: how long a lease lasts, and until it is the keeper's again.
LIFE = LASTS / 1000
LAPSED = (LASTS + MARGIN) / 1000 + 0.01


class Scene:
    """A keeper and workers over one file; ``limit`` is what all of them may spend."""

    def __init__(self, folder: Path, limit: int = PLENTY, workers: int = 3) -> None:
        self.clock = Clock()
        self.limit = limit
        self.path = folder / "board"
        self.keeper = self._new_keeper()
        self.workers = [self._new_worker(seat) for seat in range(1, workers + 1)]
        self.spent = self.collected = self.own = 0

    def spend(self, worker: int, times: int = 1) -> int:
        """Let a worker try so often; how often it could."""
        could = sum(self.workers[worker].spend() for _ in range(times))
        self.spent += could
        return could

    def spend_own(self) -> bool:
        """Let the keeper decide about a request of its own, as the quota does."""
        if self.free <= 0:
            return False
        self.own += 1
        return True

    @property
    def free(self) -> int:
        """What the keeper knows to be left, by what it has collected."""
        return self.limit - self.own - self.collected - self.keeper.outstanding

    def collect(self) -> int:
        """What the keeper takes over: told by column, and only what was counted."""
        counted = self.keeper.collect()
        assert len(counted) == COUNTS
        self.collected += counted[COLUMN]
        return counted[COLUMN]

    def renew(self) -> None:
        """What the keeper does some times a second."""
        self.collect()
        self.keeper.renew(max(0, self.free))

    def lease(self) -> None:
        """All workers want some, and get it."""
        for number in range(len(self.workers)):
            self.spend(number)
        self.renew()

    def restart_keeper(self) -> None:
        """A new process, over the same board."""
        self.keeper = self._new_keeper()

    def leave(self, worker: int) -> None:
        """A worker is gone."""
        Board(self.path).seats[worker + 1].vacate()

    def restart_worker(self, worker: int) -> None:
        """A new process in the same seat."""
        self.workers[worker] = self._new_worker(worker + 1)

    def _new_keeper(self) -> Leases:
        return Leases(Board(self.path), COLUMN, self.clock.seconds)

    def _new_worker(self, seat: int) -> Lease:
        return Lease(Board(self.path).seats[seat], COLUMN, self.clock.seconds)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """With plenty to lease."""
    return Scene(tmp_path)


class TestWorker:
    """What one may."""

    def test_nothing_is_leased_at_first(self, scene: Scene) -> None:
        """A keeper has to have said so."""
        assert not scene.workers[0].is_open()
        assert scene.spend(0) == 0
        assert scene.collect() == 0

    def test_who_is_there_gets_some(self, scene: Scene) -> None:
        """At the keeper's next round, the idle too: but nobody for whom no worker is there."""
        scene.leave(2)
        scene.renew()
        assert scene.workers[0].is_open()
        assert scene.spend(0, 10) == 10
        assert scene.workers[1].is_open()
        assert not scene.workers[2].is_open()

    def test_who_spends_much_gets_more(self, scene: Scene) -> None:
        """As it is likely to go on."""
        scene.renew()
        assert scene.spend(0, PLENTY) == LEAST
        scene.renew()
        assert scene.spend(0, PLENTY) > 4 * LEAST
        assert scene.spend(1, PLENTY) == LEAST

    def test_looking_spends_nothing(self, scene: Scene) -> None:
        """However often."""
        scene.lease()
        before = scene.keeper.outstanding
        assert all(scene.workers[0].is_open() for _ in range(1000))
        assert scene.collect() == 0
        assert scene.keeper.outstanding == before

    def test_spends_what_was_leased_and_no_more(self, scene: Scene) -> None:
        """To the last one."""
        scene.lease()
        leased = scene.keeper.outstanding
        assert leased >= LEAST
        could = [scene.spend(number, 2 * leased) for number in range(3)]
        assert sum(could) == leased
        assert not any(worker.is_open() for worker in scene.workers)

    def test_a_lease_ends_by_itself(self, scene: Scene) -> None:
        """Whether or not the keeper is still there."""
        scene.lease()
        scene.clock.advance(LIFE - 0.01)
        assert scene.spend(0) == 1
        scene.clock.advance(0.01)
        assert scene.spend(0) == 0

    def test_who_goes_on_spending_goes_on(self, scene: Scene) -> None:
        """Renewed in time, it never has to wait; and who is busier gets more."""
        scene.lease()
        first = scene.keeper.outstanding
        for _ in range(30):
            scene.clock.advance(0.1)
            assert scene.spend(0, 200) == 200
            scene.renew()
        assert scene.keeper.outstanding > first

    def test_a_new_one_in_the_seat_goes_on(self, scene: Scene) -> None:
        """What the one before has spent stays spent, and is collected once."""
        scene.lease()
        leased = scene.keeper.outstanding
        scene.spend(0, 10)
        scene.restart_worker(0)
        scene.spend(0, 5)
        assert scene.collect() == 15
        assert scene.keeper.outstanding == leased - 15


class TestKeeper:
    """What it leases, collects and takes back."""

    def test_collects_what_was_counted(self, scene: Scene) -> None:
        """Every column of every seat, once."""
        board = Board(scene.path)
        board.seats[1].counts[7] = 5
        board.seats[2].counts[7] = 6
        board.seats[31].counts[COUNTS - 1] = 1
        counted = scene.keeper.collect()
        assert counted[7] == 11
        assert counted[COUNTS - 1] == 1
        assert sum(counted) == 12
        assert not any(scene.keeper.collect())
        board.seats[1].counts[7] += 2
        assert scene.keeper.collect()[7] == 2

    def test_outstanding_is_what_may_still_be_spent(self, scene: Scene) -> None:
        """It falls as it is collected."""
        scene.lease()
        leased = scene.keeper.outstanding
        scene.spend(0, 10)
        scene.spend(1, 20)
        assert scene.keeper.outstanding == leased
        assert scene.collect() == 30
        assert scene.keeper.outstanding == leased - 30

    def test_never_leases_all_that_is_free(self, tmp_path: Path) -> None:
        """Some is left for whoever asks the keeper."""
        scene = Scene(tmp_path, limit=10_000)
        for _ in range(50):
            scene.lease()
            scene.spend(0, 100)
        assert scene.spend_own()

    @pytest.mark.parametrize("free", [0, 1, LEAST - 1, 4 * LEAST - 1])
    def test_where_little_is_free_nothing_is_leased(self, tmp_path: Path, free: int) -> None:
        """The keeper decides about each of the last ones."""
        scene = Scene(tmp_path, limit=free, workers=1)
        for _ in range(10):
            scene.lease()
            assert scene.keeper.outstanding == 0
            assert scene.spend(0) == 0

    def test_enough_for_one_may_be_too_little_for_many(self, tmp_path: Path) -> None:
        """They share what is free."""
        one, many = Scene(tmp_path, 4 * LEAST, workers=1), tmp_path / "many"
        one.lease()
        assert one.keeper.outstanding == LEAST
        many.mkdir()
        crowd = Scene(many, 4 * LEAST, workers=3)
        crowd.lease()
        assert crowd.keeper.outstanding == 0

    def test_takes_back_what_is_not_used(self, scene: Scene) -> None:
        """Some time after who had it is gone, as it may have looked at the clock just before."""
        scene.lease()
        for worker in range(3):
            scene.leave(worker)
        scene.clock.advance(LAPSED - 0.1)
        scene.renew()
        assert scene.keeper.outstanding > 0
        scene.clock.advance(0.1)
        scene.renew()
        assert scene.keeper.outstanding == 0
        assert scene.spend(0, 10) == 0

    def test_who_dies_gives_it_back(self, scene: Scene) -> None:
        """What it had spent is collected, the rest is free again when its lease has lapsed."""
        scene.lease()
        assert scene.spend(0, 10) == 10
        scene.leave(0)
        scene.leave(2)
        for _ in range(20):  # the other is alive
            scene.clock.advance(0.1)
            scene.spend(1)
            scene.renew()
        assert scene.collected == scene.spent
        scene.spend(1, PLENTY)
        scene.collect()
        assert scene.keeper.outstanding == 0

    def test_one_that_starts_anew_goes_on(self, scene: Scene) -> None:
        """It knows what is out, and collects what was spent meanwhile, once."""
        scene.lease()
        scene.spend(0, 10)
        scene.collect()
        leased = scene.keeper.outstanding
        scene.spend(0, 7)
        scene.restart_keeper()
        assert scene.keeper.outstanding == leased
        assert scene.collect() == 7
        assert scene.keeper.outstanding == leased - 7
        scene.restart_keeper()
        assert scene.collect() == 0

    def test_what_was_wanted_of_the_last_one_is_not_wanted_of_the_next(self, scene: Scene) -> None:
        """It leases as much as to anybody."""
        scene.spend(0, 100)
        scene.restart_keeper()
        scene.renew()
        assert scene.keeper.outstanding == 3 * LEAST


ACTIONS = st.one_of(
    st.tuples(st.just("spend"), st.integers(0, 2), st.integers(1, 400)),
    st.tuples(st.just("own"), st.just(0), st.integers(1, 50)),
    st.tuples(st.just("wait"), st.just(0), st.integers(1, 2000)),
    *(st.tuples(st.just(name), st.integers(0, 2), st.just(1)) for name in ("renew", "collect")),
    *(st.tuples(st.just(name), st.integers(0, 2), st.just(1)) for name in ("keeper", "worker")),
)


@settings(max_examples=150)
@given(st.integers(0, 6000), st.lists(ACTIONS, max_size=80))
def test_never_more_is_spent_than_may_be(limit: int, actions: list[tuple[str, int, int]]) -> None:
    """In whatever order workers spend, keepers renew, time passes, and any of them starts anew.

    And what is collected is, in the end, just what was spent.
    """
    with TemporaryDirectory() as folder:
        scene = Scene(Path(folder), limit)
        steps: dict[str, Callable[[int, int], object]] = {
            "spend": scene.spend,
            "own": lambda _, times: [scene.spend_own() for _ in range(times)],
            "wait": lambda _, time: scene.clock.advance(time / 1000),
            "renew": lambda *_: scene.renew(),
            "collect": lambda *_: scene.collect(),
            "keeper": lambda *_: scene.restart_keeper(),
            "worker": lambda worker, _: scene.restart_worker(worker),
        }
        for name, worker, amount in actions:
            steps[name](worker, amount)
            assert scene.own + scene.spent <= limit
            assert scene.spent <= scene.collected + scene.keeper.outstanding
            assert scene.free >= 0
        scene.collect()
        assert scene.collected == scene.spent
        for worker in range(3):
            scene.leave(worker)
        scene.clock.advance(LAPSED)
        scene.renew()
        assert scene.keeper.outstanding == 0
        assert scene.free == limit - scene.own - scene.spent


def test_another_process_spends(tmp_path: Path) -> None:
    """While this one collects and leases: never too much, and all of it is collected."""
    limit = 50_000
    scene = Scene(tmp_path, limit, workers=0)
    board = Board(scene.path)
    with other_process(scene.path) as other:
        # Its clock stands still, as this one's does: no lease ends.
        other.do(f"lease = Lease(board.seats[4], {COLUMN}, lambda: 0.0)")
        other.begin("while not board.epoch[0]: lease.spend() or time.sleep(0.0001)")
        while scene.keeper.outstanding or scene.free >= 4 * LEAST:
            scene.renew()
            assert board.seats[4].counts[COLUMN] <= limit
        board.epoch[0] = 1
        other.wait()
    scene.collect()
    assert scene.collected == board.seats[4].counts[COLUMN] == limit - scene.free
