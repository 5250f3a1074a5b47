"""All checks at the same time, each within its own: one that hangs or breaks stops no other."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from threading import Thread
from typing import Any, TypeVar

from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from hubmirror.doctor.findings import Check, Finding, fail
from hubmirror.errors import HubmirrorError

__all__ = ["blocking", "examine"]

T = TypeVar("T")


async def examine(clock: IReactorTime, checks: Iterable[Check]) -> list[Finding]:
    """The findings of all ``checks``, in the order of these."""
    running = [Deferred.fromCoroutine(_look(clock, check)) for check in checks]
    return [finding for one in running for finding in await one]


def blocking(
    reactor: Any, name: str, seconds: float, look: Callable[[], Sequence[Finding]]
) -> Check:
    """A check that blocks. It runs in a thread that nothing waits for, not the end either."""

    async def wait() -> Sequence[Finding]:
        return await _in_thread(reactor, look)

    return Check(name, wait, seconds)


async def _look(clock: IReactorTime, check: Check) -> Sequence[Finding]:
    looking: Coroutine[Deferred[Any], Any, Sequence[Finding]] = check.look()
    try:
        return await Deferred.fromCoroutine(looking).addTimeout(check.seconds, clock)
    except defer.TimeoutError:
        why = f"no result within {check.seconds:g} seconds"
    except HubmirrorError as error:
        why = str(error)
    except Exception as error:
        why = f"the check itself failed: {type(error).__name__}: {error}"
    return [fail(check.name, why, "see whether it is so again; the other checks have gone on")]


def _in_thread(reactor: Any, work: Callable[[], T]) -> Deferred[T]:
    waiter: Deferred[T] = Deferred()

    def deliver(result: T | Failure) -> None:
        if not waiter.called:
            waiter.callback(result)

    def run() -> None:
        try:
            result: T | Failure = work()
        except Exception:
            result = Failure()
        reactor.callFromThread(deliver, result)

    Thread(target=run, daemon=True).start()
    return waiter
