"""Group commit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from hubmirror.cache.commits import GroupCommit


class Disk:
    """Writes that end when the test says so."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.ends: list[Deferred[None]] = []
        self.commits = GroupCommit[str](self._write)

    def _write(self, items: Sequence[str]) -> Deferred[None]:
        self.batches.append(list(items))
        self.ends.append(Deferred())
        return self.ends[-1]


def outcome(waiter: Deferred[Any]) -> list[Any]:
    """What ``waiter`` fires with, or the type of its error."""
    results: list[Any] = []
    waiter.addCallbacks(results.append, lambda failure: results.append(failure.type))
    return results


@pytest.fixture
def disk() -> Disk:
    """A disk, and a group commit to it."""
    return Disk()


def test_one_alone_is_written_at_once(disk: Disk) -> None:
    """It waits for nobody, and fires when it is written."""
    waiter = disk.commits.add("a")
    assert disk.batches == [["a"]]
    assert not waiter.called
    disk.ends[0].callback(None)
    assert waiter.called


def test_those_who_come_meanwhile_share_the_next(disk: Disk) -> None:
    """In their order; one write at a time."""
    waiters = [disk.commits.add(item) for item in "abc"]
    assert disk.batches == [["a"]]
    disk.ends[0].callback(None)
    assert disk.batches == [["a"], ["b", "c"]]
    assert [waiter.called for waiter in waiters] == [True, False, False]
    disk.ends[1].callback(None)
    assert all(waiter.called for waiter in waiters)
    disk.commits.add("d")
    assert disk.batches == [["a"], ["b", "c"], ["d"]]


def test_a_failure_is_its_batchs(disk: Disk) -> None:
    """All of it fail, and the next goes on."""
    first, second = disk.commits.add("a"), disk.commits.add("b")
    errors = outcome(first)
    disk.ends[0].errback(OSError("full"))
    assert errors == [OSError]
    disk.ends[1].callback(None)
    assert second.called


def test_who_gives_up_takes_nothing_from_others(disk: Disk) -> None:
    """Its item is written all the same."""
    first, second = disk.commits.add("a"), disk.commits.add("b")
    gone = outcome(second)
    second.cancel()
    disk.ends[0].callback(None)
    disk.ends[1].callback(None)
    assert (first.called, gone, disk.batches) == (True, [CancelledError], [["a"], ["b"]])


def test_who_adds_when_it_is_told(disk: Disk) -> None:
    """A writer's next item joins the batch after the one that runs."""
    waiter = disk.commits.add("a")
    waiter.addCallback(lambda _: disk.commits.add("c"))
    disk.commits.add("b")
    disk.ends[0].callback(None)
    disk.ends[1].callback(None)
    assert disk.batches == [["a"], ["b"], ["c"]]
