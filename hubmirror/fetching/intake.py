"""The partial file that a fetch writes: what is there, hashed and saved as it grows."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from hubmirror.cache.interfaces import IPartial
from hubmirror.fetching.limits import FetchLimits
from hubmirror.fetching.plan import Span

__all__ = ["Intake"]


class Intake:
    """Writes into ``partial``, and lets threads hash and save it meanwhile, one at a time.

    ``failure`` is the error that hashing or saving ended with.
    """

    def __init__(self, partial: IPartial, clock: IReactorTime, limits: FetchLimits) -> None:
        self.partial = partial
        self.size = partial.size
        self.failure: Exception | None = None
        self.have = self.size - self.missing_in((0, self.size))
        self._clock = clock
        self._limits = limits
        self._hashed = self._saved = self.have
        self._saved_at = clock.seconds()
        self._tending: Deferred[None] | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all bytes are there."""
        return self.have >= self.size

    def missing_in(self, span: Span) -> int:
        """How many bytes of ``span`` are not there."""
        return sum(end - start for start, end in self.partial.missing(*span))

    def keep(self, offset: int, data: bytes) -> None:
        """Write what is missing of ``data``. Raises ``StoreFull`` or ``StoreFailed``."""
        if self.failure is not None:
            raise self.failure
        for start, end in self.partial.missing(offset, offset + len(data)):
            self.partial.write(start, data[start - offset : end - offset])
            self.have += end - start
        if self._tending is None and self._is_due():
            tending = self._tending = Deferred.fromCoroutine(self._tend())
            if tending.called:
                self._tending = None

    async def settle(self) -> None:
        """Wait until no thread works on the partial."""
        if self._tending is not None:
            settled: Deferred[None] = Deferred()
            self._tending.addCallback(settled.callback)
            await settled

    def _is_due(self) -> bool:
        return self.have - self._hashed >= self._limits.hash_every or self._is_save_due()

    def _is_save_due(self) -> bool:
        late = self._clock.seconds() - self._saved_at >= self._limits.save_seconds
        return self.have - self._saved >= self._limits.save_every or (
            late and self.have > self._saved
        )

    async def _tend(self) -> None:
        try:
            self._hashed = self.have
            await self.partial.digest_of_prefix()
            if self._is_save_due():
                self._saved, self._saved_at = self.have, self._clock.seconds()
                await self.partial.save()
        except Exception as error:
            self.failure = error
        self._tending = None
