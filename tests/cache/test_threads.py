"""Tests of work in threads, and of the shield before it."""

from __future__ import annotations

import errno
import threading
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.threadpool import ThreadPool

from hubmirror.cache.errors import StoreFull
from hubmirror.cache.threads import Threads, shielded


@ensureDeferred
async def test_work_runs_in_a_thread(reactor: Any, pool: ThreadPool) -> None:
    """With its arguments; its result comes back."""
    threads = Threads(reactor, pool)
    assert await threads.run(threading.get_ident) != threading.get_ident()
    assert await threads.run(int, "11", base=2) == 3


@ensureDeferred
async def test_the_disks_errors_become_the_stores(reactor: Any, pool: ThreadPool) -> None:
    """Others pass as they are."""

    def fail(error: Exception) -> None:
        raise error

    with pytest.raises(StoreFull):
        await Threads(reactor, pool).run(fail, OSError(errno.ENOSPC, ""))
    with pytest.raises(ValueError, match="mine"):
        await Threads(reactor, pool).run(fail, ValueError("mine"))


@pytest.mark.parametrize("outcome", [3, ValueError("it failed")])
def test_results_and_failures_pass(outcome: Any) -> None:
    """To who waits."""
    work: Deferred[int] = Deferred()
    waiter, results = shielded(work), list[Any]()
    waiter.addBoth(results.append)
    work.callback(outcome) if isinstance(outcome, int) else work.errback(outcome)
    assert getattr(results[0], "value", results[0]) is outcome


def test_cancelling_leaves_the_work_alone() -> None:
    """The waiter is told at once, and the result goes to ``unwanted`` when it comes."""
    cancelled: list[Deferred[int]] = []
    work: Deferred[int] = Deferred(cancelled.append)
    unwanted: list[int] = []
    waiter = shielded(work, unwanted.append)
    waiter.cancel()
    results: list[Any] = []
    waiter.addErrback(results.append)
    assert results[0].check(CancelledError)
    work.callback(3)
    assert (cancelled, unwanted) == ([], [3])


def test_a_failure_that_nobody_wants_is_dropped() -> None:
    """It is not left unhandled, which the log would tell."""
    work: Deferred[int] = Deferred()
    waiter = shielded(work)
    waiter.addErrback(lambda _: None)
    waiter.cancel()
    work.errback(ValueError())
