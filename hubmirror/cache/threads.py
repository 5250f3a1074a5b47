"""Blocking work in a pool's threads, which goes on to its end once it has begun."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from hubmirror.cache.errors import store_errors

__all__ = ["Threads", "shielded"]

P = ParamSpec("P")
T = TypeVar("T")


@frozen
class Threads:
    """A pool, and the reactor to which its threads report."""

    reactor: IReactorFromThreads
    pool: ThreadPool

    def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """What ``work`` returns; its ``OSError`` becomes ``StoreFull`` or ``StoreFailed``."""

        def translated() -> T:
            with store_errors():
                return work(*args, **kwargs)

        return deferToThreadPool(self.reactor, self.pool, translated)


def shielded(work: Deferred[T], unwanted: Callable[[T], object] | None = None) -> Deferred[T]:
    """``work`` for a caller who may cancel: that ends the waiting, not the work.

    A thread can't be stopped, and what it uses must not be given back while it runs. A result
    that comes when nobody waits any more goes to ``unwanted``; a failure then is dropped.
    """
    has_left = False

    def leave(waiter: Deferred[T]) -> None:
        nonlocal has_left
        has_left = True
        waiter.errback(CancelledError())

    def arrive(result: T | Failure) -> None:
        if not has_left:
            waiter.callback(result)
        elif unwanted is not None and not isinstance(result, Failure):
            unwanted(result)

    waiter: Deferred[T] = Deferred(leave)
    work.addBoth(arrive)
    return waiter
