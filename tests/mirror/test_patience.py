"""Waiting for an upstream when there is something else to answer with."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from hubmirror.errors import UpstreamFailure
from hubmirror.mirror.patience import Patience


def waiting(patience: Patience, work: Deferred[Any]) -> tuple[Deferred[Any], list[Any]]:
    results: list[Any] = []
    waiter = Deferred.fromCoroutine(patience.wait(work))
    waiter.addCallbacks(results.append, lambda failure: results.append(failure.type))
    return waiter, results


def test_what_comes_in_time() -> None:
    """Is the answer, and leaves nothing in the clock."""
    clock = Clock()
    work: Deferred[Any] = Deferred()
    _, results = waiting(Patience(clock, 3), work)
    assert results == []
    work.callback("x")
    assert results == ["x"]
    assert clock.getDelayedCalls() == []


def test_what_takes_longer_goes_on_by_itself() -> None:
    """The client has its other answer; the work is not lost."""
    clock = Clock()
    ended: list[str] = []
    work: Deferred[Any] = Deferred()
    work.addCallback(ended.append)
    _, results = waiting(Patience(clock, 3), work)
    clock.advance(3)
    assert results == [None]
    work.callback("x")
    assert ended == ["x"]


def test_what_came_too_late_is_given_back() -> None:
    """Also where the client has gone: a response holds a connection until somebody ends it."""
    clock, unwanted = Clock(), list[Any]()
    works: list[Deferred[Any]] = [Deferred() for _ in range(3)]
    patience = Patience(clock, 3)
    waiters = [
        Deferred.fromCoroutine(patience.wait(work, unwanted=unwanted.append)) for work in works
    ]
    works[0].callback("in time")
    waiters[1].addErrback(lambda failure: failure.trap(CancelledError)).cancel()
    clock.advance(3)
    works[1].callback("gone")
    works[2].callback("late")
    assert unwanted == ["gone", "late"]


def test_some_wait_longer() -> None:
    """The seconds may be others than usual."""
    clock = Clock()
    waiter = Deferred.fromCoroutine(Patience(clock, 3).wait(Deferred(), 10))
    clock.advance(9)
    assert not waiter.called
    clock.advance(1)
    assert waiter.called


def test_a_failing_upstream_is_no_answer() -> None:
    """Nobody waits for its time to be over."""
    clock = Clock()
    work: Deferred[Any] = Deferred()
    _, results = waiting(Patience(clock, 3), work)
    work.errback(UpstreamFailure())
    assert results == [None]
    assert clock.getDelayedCalls() == []


def test_a_client_that_leaves_does_not_end_the_work() -> None:
    """Others may wait for the same."""
    clock = Clock()
    ended: list[str] = []
    work: Deferred[Any] = Deferred()
    work.addCallback(ended.append)
    waiter, results = waiting(Patience(clock, 3), work)
    waiter.cancel()
    assert results == [CancelledError]
    work.callback("x")
    assert ended == ["x"]
    assert clock.getDelayedCalls() == []


def test_a_defect_is_logged(logged_failures: Any) -> None:
    """What is no upstream's failure is ours."""
    patience = Patience(Clock(), 3)
    work: Deferred[Any] = Deferred()
    patience.leave_behind(work)
    work.errback(ZeroDivisionError())
    assert len(logged_failures.take(ZeroDivisionError)) == 1


def test_the_end_of_the_daemon_ends_it() -> None:
    """Work that nobody waits for is known, and ended."""
    cancelled: list[int] = []
    patience = Patience(Clock(), 3)
    patience.leave_behind(Deferred(lambda _: cancelled.append(1)))
    patience.settle()
    assert cancelled == [1]
