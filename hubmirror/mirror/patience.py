"""How long a client waits for the upstream when there is something else to answer with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import Interface, implementer

from hubmirror.errors import RegistryError

__all__ = ["IPatience", "Patience"]

T = TypeVar("T")


class IPatience(Interface):
    """Waiting for the upstream while there is something else to answer with."""

    async def wait(
        work: Deferred[Any],
        seconds: float | None = None,
        *,
        unwanted: Callable[[Any], object] = lambda _result: None,
    ) -> Any:
        """The result of ``work``, or None when it is not there in time or the upstream failed.

        ``seconds`` stand in for the usual ones. ``unwanted`` is given a result that came too
        late, or for a client that has gone: whatever it holds is to be given back.
        """

    def leave_behind(work: Deferred[Any]) -> None:
        """Let ``work`` go on though nobody waits for it."""


@implementer(IPatience)
class Patience:
    """``seconds`` of waiting; what takes longer goes on by itself.

    Whatever goes on is known here: ``settle`` ends it when the daemon stops.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._behind: set[Deferred[Any]] = set()

    async def wait(
        self,
        work: Deferred[T],
        seconds: float | None = None,
        *,
        unwanted: Callable[[T], object] = lambda _result: None,
    ) -> T | None:
        """See ``IPatience``."""
        waiter: Deferred[T | None] = Deferred()

        def tell(result: T | Failure) -> T | Failure:
            if not waiter.called:
                waiter.callback(None if isinstance(result, Failure) else result)
            elif not isinstance(result, Failure):
                unwanted(result)
            return result

        limit = self._seconds if seconds is None else seconds
        call = self._clock.callLater(limit, waiter.callback, None)
        self.leave_behind(work.addBoth(tell))
        try:
            return await waiter
        finally:
            if call.active():
                call.cancel()

    def leave_behind(self, work: Deferred[Any]) -> None:
        """See ``IPatience``; a failure goes to the log."""
        running = work.addErrback(self._log_unexpected)
        self._behind.add(running)
        running.addBoth(lambda _: self._behind.discard(running))

    def settle(self) -> None:
        """End what still goes on."""
        for running in list(self._behind):
            running.cancel()

    def _log_unexpected(self, failure: Failure) -> None:
        if failure.check(RegistryError, CancelledError) is None:
            self._log.failure("work behind an answer failed", failure=failure)
