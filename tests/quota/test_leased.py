"""The quota of a worker: it spends what was leased to it, and counts what it answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve

from hubmirror.coordination.board import Board
from hubmirror.coordination.leases import Lease, Leases
from hubmirror.errors import Denied
from hubmirror.naming import Digest, Repository
from hubmirror.question import BlobRequest, Outcome, Ping
from hubmirror.quota.counters import ADMITTED, BYTES_IN, BYTES_OUT, column_of
from hubmirror.quota.kinds import Kind
from hubmirror.quota.leased import LeasedQuota
from hubmirror.quota.quota import IQuota, Spending
from hubmirror.quota.spender import Spender
from tests.quota.test_quota import ANYBODY, CI, question

BLOB = BlobRequest(Repository("docker.io", "library/busybox"), Digest("sha256", "a" * 64))


class Elsewhere(Exception):
    """For another process."""


class Scene:
    """A worker's quota, and who leases to it."""

    def __init__(self, path: Path) -> None:
        self.now = 0.0
        self.board = Board(path)
        self.seat = self.board.seats[1]
        self.leases = Leases(self.board, ADMITTED, self.time)
        self.quota = LeasedQuota(Lease(self.seat, ADMITTED, self.time), Elsewhere)

    def time(self) -> float:
        """Of all processes."""
        return self.now

    def lease(self) -> None:
        """Plenty, as soon as it was wanted."""
        self.seat.lease[2] += 1
        self.leases.collect()
        self.leases.renew(1_000_000)

    def counted(self) -> dict[int, int]:
        """The columns in which something is."""
        return {column: count for column, count in enumerate(self.seat.counts) if count}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """To which something is leased."""
    made = Scene(tmp_path / "board")
    made.lease()
    return made


def test_provides_the_interface(scene: Scene) -> None:
    """But for what it does not know."""
    assert IQuota.providedBy(scene.quota)
    with pytest.raises(Elsewhere):
        _ = scene.quota.pulls
    with pytest.raises(Elsewhere):
        scene.quota.pulled(Spender(ANYBODY, None, None), question())


def test_where_nothing_is_leased_another_process_decides(tmp_path: Path) -> None:
    """And knows that something was wanted."""
    scene = Scene(tmp_path / "board")
    with pytest.raises(Elsewhere):
        scene.quota.admit(question())
    assert scene.counted() == {}
    scene.leases.collect()
    scene.leases.renew(1_000_000)
    assert scene.quota.admit(question()).spend()


def test_counts_only_when_it_is_spent(scene: Scene) -> None:
    """Before that it may still be another process's."""
    charge = scene.quota.admit(question())
    charge.settle(Outcome.HIT)
    charge.moved(10, 20)
    assert not charge.is_counted
    assert scene.counted() == {}
    assert scene.quota.take() == []
    assert charge.spend()
    assert charge.is_counted
    assert scene.counted() == {ADMITTED: 1, column_of(Kind.MANIFEST_GET, Outcome.HIT): 1}


def test_kinds_outcomes_and_bytes_are_counted(scene: Scene) -> None:
    """In the columns that the keeper has, too."""
    for subject, kind, outcome in (
        (BLOB, Kind.BLOB, Outcome.HIT),
        (BLOB, Kind.BLOB, Outcome.REFUSED),
        (Ping(), Kind.PING, Outcome.ERROR),
    ):
        charge = scene.quota.admit(evolve(question(), subject=subject))
        assert (charge.kind, charge.refusal, charge.is_final) == (kind, None, False)
        charge.settle(outcome)
        assert charge.spend()
        charge.moved(100, 7)
    head = scene.quota.admit(evolve(question(), method="HEAD"))
    head.settle(Outcome.STALE)
    head.spend()
    assert scene.counted() == {
        ADMITTED: 4,
        BYTES_IN: 300,
        BYTES_OUT: 21,
        column_of(Kind.BLOB, Outcome.HIT): 1,
        column_of(Kind.BLOB, Outcome.REFUSED): 1,
        column_of(Kind.PING, Outcome.ERROR): 1,
        column_of(Kind.MANIFEST_HEAD, Outcome.STALE): 1,
    }


def test_what_was_left_at_first_may_be_gone_in_the_end(scene: Scene) -> None:
    """Others of this worker have spent it: then it must not be answered here."""
    charge, last = scene.quota.admit(question()), scene.quota.admit(question())
    while charge.spend():
        pass
    assert scene.counted()[ADMITTED] == scene.leases.outstanding
    before = scene.counted()
    assert not last.spend()
    assert not last.is_counted
    last.moved(1, 1)
    assert scene.counted() == before


def test_a_lease_that_has_ended_is_none(scene: Scene) -> None:
    """However much of it there was."""
    charge = scene.quota.admit(question())
    scene.now += 60
    assert not charge.spend()
    with pytest.raises(Elsewhere):
        scene.quota.admit(question())


def test_is_taken_by_who_spent_it_on_what(scene: Scene) -> None:
    """Added up, and once."""
    for address, user in ((ANYBODY, None), (ANYBODY, None), (CI, None), (CI, "alice")):
        charge = scene.quota.admit(question(address), user)
        charge.settle(Outcome.HIT)
        charge.spend()
        charge.moved(1, 10)
    blob = scene.quota.admit(evolve(question(), subject=Ping()))
    blob.spend()
    taken = scene.quota.take()
    assert sorted(taken, key=repr) == sorted(
        [
            Spending(ANYBODY, None, "library/busybox", 2, 2, 20),
            Spending(CI, None, "library/busybox", 1, 1, 10),
            Spending(CI, "alice", "library/busybox", 1, 1, 10),
            Spending(ANYBODY, None, None, 1, 0, 0),
        ],
        key=repr,
    )
    assert scene.quota.take() == []


def test_bytes_that_move_after_it_was_taken_are_taken_next(scene: Scene) -> None:
    """A large body takes longer than a second."""
    charge = scene.quota.admit(question())
    charge.spend()
    assert [one.requests for one in scene.quota.take()] == [1]
    charge.moved(1, 1_000)
    assert scene.quota.take() == [Spending(ANYBODY, None, "library/busybox", 0, 1, 1_000)]


def test_what_a_rule_refuses_spends_nothing(scene: Scene) -> None:
    """Nor does it need a lease; that it was refused is counted, but not to whom."""
    scene.now += 3600
    charge = scene.quota.refuse(question(), Denied())
    assert isinstance(charge.refusal, Denied)
    assert charge.is_final
    charge.settle(Outcome.REFUSED)
    assert charge.spend()
    charge.moved(100, 10)
    refused = column_of(Kind.MANIFEST_GET, Outcome.REFUSED)
    assert scene.counted() == {refused: 1, BYTES_IN: 100, BYTES_OUT: 10}
    assert scene.quota.take() == []
