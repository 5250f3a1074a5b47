"""Blobs are fetched here, each once, however many read it."""

from __future__ import annotations

import random as random_numbers
from collections.abc import Awaitable, Callable
from functools import partial as bound

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import Interface, implementer

from hubmirror.cache.errors import StoreFailed
from hubmirror.cache.interfaces import IPartial, IPartialStore
from hubmirror.coordination.flights import Flights, IFlights
from hubmirror.errors import RegistryError, UpstreamFailure
from hubmirror.fetching.failures import CannotKeep, StoreLost, WrongDigest
from hubmirror.fetching.limits import FetchLimits
from hubmirror.fetching.pauses import pause_after
from hubmirror.fetching.running import FetchStatus, RunningFetch
from hubmirror.naming import Digest
from hubmirror.question import IGrowingFile
from hubmirror.upstream.blobs import BlobChanged, BlobHostFailed, BlobPart, IRemoteBlob, Refused

__all__ = ["FetchLimits", "FetchStatus", "Fetcher", "IFetcher"]

_log = Logger()

#: So often a blob host that is in trouble is asked for the first bytes of a blob.
_FIRST_TRIES = 3


class IFetcher(Interface):
    """Where blobs are read that are not kept yet."""

    async def read(
        remote: IRemoteBlob, start: int = 0, length: int | None = None
    ) -> tuple[IGrowingFile, int]:
        """A reader of the blob, and the blob's size in bytes.

        ``start`` and ``length`` (None: to the end) are what it is going to read, as far as is
        known: they decide what is fetched first, and don't bind it. The caller closes it.
        Whether the client has a right to the blob is the caller's to know.

        Raises ``CannotKeep`` where the blob should be streamed past the store; ``Refused`` with
        the upstream's own answer; ``UpstreamFailure``; and what ``authorize`` raises.
        """

    def running() -> list[FetchStatus]:
        """The fetches that run now."""


@implementer(IFetcher)
class Fetcher:
    """Fetches blobs into ``partials``. A digest is fetched once at a time, and all join in.

    ``committed`` is told of each blob that is kept, before anybody gets its last bytes, and may
    take its time: to index it. ``flights`` is where the processes that share a store agree.
    ``wrong_digests`` counts the blobs that were not what they should be, ``not_kept`` how often
    the disk took none.
    """

    def __init__(
        self,
        partials: IPartialStore,
        clock: IReactorTime,
        committed: Callable[[Digest, int], Awaitable[None]],
        *,
        limits: FetchLimits | None = None,
        flights: IFlights | None = None,
        random: Callable[[], float] = random_numbers.random,
    ) -> None:
        self.wrong_digests = 0
        self.not_kept = 0
        self._partials = partials
        self._clock = clock
        self._committed = committed
        self._limits = limits or FetchLimits()
        self._flights = flights or Flights()
        self._random = random
        self._running: dict[Digest, RunningFetch] = {}
        self._store_pause_until = clock.seconds()
        self._is_closed = False

    def limit(self, limits: FetchLimits) -> None:
        """Let ``limits`` hold for the fetches that begin from now on."""
        self._limits = limits

    async def read(
        self, remote: IRemoteBlob, start: int = 0, length: int | None = None
    ) -> tuple[IGrowingFile, int]:
        """See ``IFetcher``."""
        while True:
            fetch = self._running.get(remote.digest)
            if fetch is None:
                fetch = await self._joined(remote, start)
            if fetch is None:
                continue
            try:
                reader = fetch.join(remote, start, length)
            except OSError as error:
                raise CannotKeep("too many files are open") from error
            if reader is not None:
                return reader, fetch.size
            await fetch.ended()

    def running(self) -> list[FetchStatus]:
        """See ``IFetcher``."""
        return [fetch.status for fetch in self._running.values()]

    async def close(self) -> None:
        """Stop all fetches; their pieces are kept."""
        self._is_closed = True
        for fetch in tuple(self._running.values()):
            fetch.stop()
        for fetch in tuple(self._running.values()):
            await fetch.ended()

    async def _joined(self, remote: IRemoteBlob, start: int) -> RunningFetch | None:
        """The fetch that somebody begins; None where somebody else was not allowed to."""
        try:
            fetch: RunningFetch = await self._flights.join(
                remote.digest, bound(self._begin, remote, start)
            )
        except _TurnedAway as turned:
            if turned.remote is remote:
                raise turned.error from None
            return None
        return fetch

    async def _begin(self, remote: IRemoteBlob, start: int) -> RunningFetch:
        if self._is_closed or self._clock.seconds() < self._store_pause_until:
            raise CannotKeep("nothing is kept at the moment")
        part = await self._first_part(remote, start)
        try:
            partial = await self._open(remote.digest, part)
        except BaseException:
            part.body.discard()
            raise
        fetch = RunningFetch(
            partial,
            remote,
            part,
            committed=self._committed,
            clock=self._clock,
            limits=self._limits,
            random=self._random,
        )
        if self._is_closed:  # meanwhile
            fetch.stop()
        self._running[remote.digest] = fetch
        self._clock.callLater(0, self._start, remote.digest, fetch)  # all who wait join it first
        return fetch

    async def _first_part(self, remote: IRemoteBlob, start: int) -> BlobPart:
        """The first piece from ``start`` on that isn't there: its answer tells the blob's size."""
        start, end = await self._first_span(remote.digest, start)
        for tried in range(1, _FIRST_TRIES + 1):
            try:
                return await remote.open(start, end)
            except BlobHostFailed as error:
                if tried == _FIRST_TRIES:
                    raise
                pause = pause_after(tried, error, self._limits, self._random())
            except UpstreamFailure:
                raise
            except (Refused, RegistryError) as error:
                raise _TurnedAway(remote, error) from error
            await deferLater(self._clock, pause)
        raise AssertionError("unreachable")

    async def _first_span(self, digest: Digest, start: int) -> tuple[int, int]:
        piece = self._limits.piece
        try:
            gap = await self._partials.gap(digest, start)
        except StoreFailed:  # told when it is opened
            gap = None
        return (start, start + piece) if gap is None else (gap[0], min(gap[1], gap[0] + piece))

    async def _open(self, digest: Digest, part: BlobPart) -> IPartial:
        if part.size is None:
            raise CannotKeep("the blob host does not say how long the blob is")
        try:
            return await self._partials.open(digest, part.size, part.validator)
        except StoreFailed as error:
            self._pause_store(str(error))
            raise CannotKeep(str(error)) from error

    def _start(self, digest: Digest, fetch: RunningFetch) -> None:
        done = Deferred.fromCoroutine(self._run(digest, fetch))
        done.addErrback(lambda failure: _log.failure("a fetch failed to end", failure))

    async def _run(self, digest: Digest, fetch: RunningFetch) -> None:
        try:
            await fetch.run()
        finally:
            del self._running[digest]
            self._learn(digest, fetch.failure)
            fetch.forgotten()

    def _learn(self, digest: Digest, failure: Exception | None) -> None:
        if isinstance(failure, StoreLost):
            self._pause_store(failure.message)
        elif isinstance(failure, WrongDigest):
            self.wrong_digests += 1
        if isinstance(failure, (WrongDigest, BlobChanged)):
            _log.warn("{digest} is thrown away: {why}", digest=digest, why=str(failure))

    def _pause_store(self, why: str) -> None:
        self.not_kept += 1
        self._store_pause_until = self._clock.seconds() + self._limits.store_pause
        words = "for {seconds:g} seconds no blob is kept: {why}"
        _log.warn(words, seconds=self._limits.store_pause, why=why)


class _TurnedAway(Exception):
    """``remote`` may not have the blob. Others who wait for it may: each asks by itself."""

    def __init__(self, remote: IRemoteBlob, error: Exception) -> None:
        super().__init__(str(error))
        self.remote = remote
        self.error = error
