"""The connections that bring one blob: how many, which bytes each, and what when one fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from hubmirror.errors import RegistryError, UpstreamFailure
from hubmirror.fetching.failures import NobodyMayAsk
from hubmirror.fetching.intake import Intake
from hubmirror.fetching.limits import FetchLimits
from hubmirror.fetching.pauses import pause_after
from hubmirror.fetching.plan import Plan, Span
from hubmirror.fetching.writer import write_part
from hubmirror.upstream.blobs import BlobChanged, BlobPart, IRemoteBlob, Refused

__all__ = ["Connections"]

#: A connection that fails as often in a row leaves its work to the others, and as many seconds
#: go by before another is added: a host may take fewer connections than we would make.
_LEAVE_TO_OTHERS: Final = 2
_CALM: Final = 10.0


class Connections:
    """Brings what ``intake`` misses; ``part``, which ``remote`` has opened, is the first of it.

    ``remotes()`` are those who may ask the upstream now, in order; ``wants()`` what readers
    have yet to read; ``arrived()`` is called after each write.
    """

    def __init__(
        self,
        intake: Intake,
        part: BlobPart,
        *,
        remotes: Callable[[], Iterable[IRemoteBlob]],
        wants: Callable[[], Iterable[Span]],
        arrived: Callable[[], None],
        clock: IReactorTime,
        limits: FetchLimits,
        random: Callable[[], float],
    ) -> None:
        self._intake = intake
        self._first = part
        self._remotes = remotes
        self._wants = wants
        self._arrived = arrived
        self._clock = clock
        self._limits = limits
        self._random = random
        is_large = intake.size >= 2 * limits.piece
        self._most = limits.connections if part.accepts_ranges and is_large else 1
        piece = limits.piece if self._most > 1 else max(1, intake.size)
        self._plan = Plan(intake.size, piece, intake.partial.missing)
        self._refused: list[IRemoteBlob] = []
        self._calm_until = clock.seconds()
        self._workers: set[Deferred[None]] = set()
        self._whole: Deferred[None] = Deferred()
        self._has_begun = False
        self.count = 0

    async def bring_all(self) -> None:
        """Return when all bytes are there.

        Raises ``UpstreamFailure`` when they won't come, ``NobodyMayAsk`` and ``BlobChanged``
        among them; ``StoreFailed``; and what ``stop`` was given.
        """
        if self._whole.called:
            self._first.body.discard()
        else:
            self._begin()
        try:
            await self._whole
        finally:
            for worker in tuple(self._workers):
                worker.cancel()

    def stop(self, error: Exception) -> None:
        """End it with ``error``. Without effect at the end."""
        if not self._whole.called:
            self._whole.errback(error)

    def hurry(self) -> None:
        """Put as many connections to work as there may be and work for."""
        while self._has_begun and not self._whole.called and self.count < self._most:
            if self.count and self._clock.seconds() < self._calm_until:
                return
            span = self._plan.take(self._wants())
            if span is None:
                return
            self._employ(span, None)

    def _begin(self) -> None:
        self._has_begun = True
        part, span = self._first, (self._first.start, self._first.end or self._intake.size)
        if self._is_of_use(part, span):
            self._plan.reserve(span)
            self._employ(span, part)
        else:
            part.body.discard()
        if self._intake.is_whole and not self._whole.called:
            self._whole.callback(None)
        self.hurry()

    def _is_of_use(self, part: BlobPart, span: Span) -> bool:
        missing = self._intake.partial.missing(*span)
        return missing == [span] if part.accepts_ranges else missing != []

    def _employ(self, span: Span, part: BlobPart | None) -> None:
        self.count += 1
        worker = Deferred.fromCoroutine(self._work(span, part))
        self._workers.add(worker)
        worker.addBoth(self._finish, worker)

    def _finish(self, result: object, worker: Deferred[None]) -> None:
        self.count -= 1
        self._workers.discard(worker)
        if self._whole.called:
            return  # cancelled, or failing after another
        if isinstance(result, Failure):
            self._whole.errback(result)
        elif self._intake.is_whole:
            self._whole.callback(None)
        else:
            self.hurry()

    async def _work(self, span: Span | None, part: BlobPart | None) -> None:
        """Bring one span after another, until nothing is left or others do better."""
        failures, pause = 0, 0.0
        while span is not None:
            missing = self._intake.missing_in(span)
            try:
                await self._bring(span, part)
                failures = 0
            except (BlobChanged, NobodyMayAsk):
                raise
            except UpstreamFailure as error:
                gained = missing - self._intake.missing_in(span)
                failures = 1 if gained >= self._limits.worthwhile else failures + 1
                if failures >= self._limits.attempts:
                    raise
                pause = pause_after(failures, error, self._limits, self._random())
            finally:
                self._plan.give_back(span)
            if self._is_one_too_many(failures):
                return
            if failures:
                await deferLater(self._clock, pause)
            part, span = None, self._plan.take(self._wants())

    def _is_one_too_many(self, failures: int) -> bool:
        if failures >= _LEAVE_TO_OTHERS and self.count > 1:
            self._calm_until = self._clock.seconds() + _CALM
            return True
        return self.count > self._most

    async def _bring(self, span: Span, part: BlobPart | None) -> None:
        if part is None:
            part = await self._open(span)
        end = span[1]
        if not part.accepts_ranges:
            self._most, end = 1, self._intake.size
            if self.count > 1:  # it would bring what others bring
                part.body.discard()
                raise UpstreamFailure("the blob host does not send parts of a blob any more")
        await write_part(part, end, self._keep)

    async def _open(self, span: Span) -> BlobPart:
        """Ask for ``span`` in the name of the first who may. Raises ``NobodyMayAsk``."""
        size, validator = self._intake.size, self._intake.partial.validator
        for remote in tuple(self._remotes()):
            if remote in self._refused:
                continue
            try:
                return await remote.open(*span, size=size, validator=validator)
            except UpstreamFailure:
                raise
            except Refused as refused:
                if refused.answer.status == 429 or refused.answer.status >= 500:
                    raise UpstreamFailure(str(refused)) from None
                self._refused.append(remote)
            except RegistryError:
                self._refused.append(remote)
        raise NobodyMayAsk

    def _keep(self, offset: int, data: bytes) -> None:
        if self._whole.called:
            raise CancelledError
        self._intake.keep(offset, data)
        self._arrived()
