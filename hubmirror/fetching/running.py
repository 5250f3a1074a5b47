"""One blob on its way into the store, and those who read it meanwhile."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from hubmirror.cache.errors import StoreFailed
from hubmirror.cache.interfaces import IPartial
from hubmirror.errors import UpstreamFailure
from hubmirror.fetching.connections import Connections
from hubmirror.fetching.failures import Stopped, StoreLost, WrongDigest
from hubmirror.fetching.intake import Intake
from hubmirror.fetching.limits import FetchLimits
from hubmirror.fetching.overflow import Overflow
from hubmirror.fetching.plan import Span
from hubmirror.fetching.readers import Reader
from hubmirror.naming import Digest
from hubmirror.upstream.blobs import BlobChanged, BlobPart, IRemoteBlob

__all__ = ["FetchStatus", "RunningFetch"]

_log = Logger()


@frozen
class FetchStatus:
    """A fetch as it is now: lengths in bytes."""

    digest: Digest
    size: int
    have: int
    readers: int
    connections: int


class RunningFetch:
    """Fetches a blob into ``partial``; ``part``, which ``remote`` has opened, is its first piece.

    ``committed`` is called once the blob is kept, before the last readers get its end.
    ``failure`` is what it has ended with, if it has.
    """

    def __init__(
        self,
        partial: IPartial,
        remote: IRemoteBlob,
        part: BlobPart,
        *,
        committed: Callable[[Digest, int], Awaitable[None]],
        clock: IReactorTime,
        limits: FetchLimits,
        random: Callable[[], float],
    ) -> None:
        self.failure: Exception | None = None
        self._partial = partial
        self._intake = Intake(partial, clock, limits)
        self._connections = Connections(
            self._intake,
            part,
            remotes=self._remotes,
            wants=lambda: [reader.wants for reader in self._readers],
            arrived=self._wake,
            clock=clock,
            limits=limits,
            random=random,
        )
        self._committed = committed
        self._clock = clock
        self._limits = limits
        self._random = random
        self._last_remote = remote
        self._readers: list[Reader] = []
        self._has_begun = False
        self._is_verified = False
        self._is_over = False
        self._waiting_for_end: list[Deferred[None]] = []

    @property
    def size(self) -> int:
        """The blob's length in bytes."""
        return self._intake.size

    @property
    def status(self) -> FetchStatus:
        """What there is to show."""
        return FetchStatus(
            self._partial.digest,
            self.size,
            self._intake.have,
            len(self._readers),
            self._connections.count,
        )

    def join(self, remote: IRemoteBlob, start: int, length: int | None) -> Reader | None:
        """A new reader, or None where the fetch has ended. Raises ``OSError`` (too many files)."""
        if self.failure is not None or self._is_over:
            return None
        end = self.size if length is None else min(start + length, self.size)
        reader = Reader(self, remote, os.dup(self._partial.fileno()), self.size, (start, end))
        self._readers.append(reader)
        return reader

    def ended(self) -> Deferred[None]:
        """Fires when ``forgotten`` is called."""
        waiting: Deferred[None] = Deferred(self._waiting_for_end.remove)
        self._waiting_for_end.append(waiting)
        return waiting

    def forgotten(self) -> None:
        """The fetch is over, and another of the same digest may begin."""
        waiting, self._waiting_for_end = self._waiting_for_end, []
        for waiter in waiting:
            waiter.callback(None)

    def stop(self) -> None:
        """Give up, keeping the pieces. What is whole already is kept as a blob."""
        self._connections.stop(Stopped())

    async def run(self) -> None:
        """Fetch, verify, keep. Whatever goes wrong is told to the readers, and not raised."""
        self._has_begun = True
        self._stop_if_unwanted()
        try:
            await self._fetch()
        except StoreFailed as error:
            _log.warn("{digest} is not kept: {why}", digest=self._partial.digest, why=str(error))
            self._fail(StoreLost())
        except UpstreamFailure as error:
            self._fail(error)
        except Exception:
            _log.failure("fetching {digest} failed", digest=self._partial.digest)
            self._fail(UpstreamFailure("the mirror failed to fetch a blob"))
        await self._close()

    async def _fetch(self) -> None:
        await self._connections.bring_all()
        await self._intake.settle()
        if self._intake.failure is not None:
            raise self._intake.failure
        if not await self._partial.commit():
            raise WrongDigest
        try:
            await self._committed(self._partial.digest, self.size)
        except Exception:
            _log.failure("{digest} is kept, but not indexed", digest=self._partial.digest)
        self._is_verified = True
        self._wake()

    async def _close(self) -> None:
        await self._intake.settle()
        if isinstance(self.failure, (BlobChanged, StoreLost, WrongDigest)):
            self._partial.discard()
        elif self.failure is not None:
            await self._save()
        self._is_over = True
        self._partial.close()

    async def _save(self) -> None:
        try:
            await self._partial.save()
        except StoreFailed as error:
            _log.warn(
                "the pieces of {digest} are not saved: {why}",
                digest=self._partial.digest,
                why=str(error),
            )

    def _fail(self, error: Exception) -> None:
        self.failure = error
        self._wake()

    # What the readers call.

    def available(self, offset: int) -> int:
        """How many bytes from ``offset`` on a reader may have now."""
        if self._is_verified:
            return max(0, self.size - offset)
        if self.failure is not None:
            return 0
        shown = self.size - self._limits.held_back
        return max(0, min(self._partial.available(offset), shown - offset)) if offset < shown else 0

    def hurry(self) -> None:
        """A reader waits."""
        self._connections.hurry()

    def past_the_store(self, remote: IRemoteBlob, span: Span) -> Overflow:
        """The way on for a reader after ``StoreLost``. Raises ``OSError``."""
        return Overflow(
            remote,
            span,
            size=self.size,
            validator=self._partial.validator,
            clock=self._clock,
            limits=self._limits,
            random=self._random,
        )

    def leave(self, reader: Reader) -> None:
        """A reader is gone; with the last one the fetch may stop."""
        self._last_remote = reader.remote
        self._readers.remove(reader)
        self._stop_if_unwanted()

    def _stop_if_unwanted(self) -> None:
        """Nobody reads: small blobs and those past half are fetched to the end even so."""
        if self._readers or not self._has_begun:
            return
        is_near = self.size <= self._limits.finish_below or 2 * self._intake.have >= self.size
        if self._last_remote.needs_reader or not is_near:
            self.stop()

    def _remotes(self) -> Iterable[IRemoteBlob]:
        return [reader.remote for reader in self._readers] or [self._last_remote]

    def _wake(self) -> None:
        for reader in tuple(self._readers):
            reader.wake()
