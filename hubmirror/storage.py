"""What the data folder keeps of the upstream's content, opened for as long as the daemon runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import field, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from hubmirror.cache.blobs import FileBlobStore
from hubmirror.cache.errors import StoreFailed
from hubmirror.cache.eviction import Evictor
from hubmirror.cache.files import Files
from hubmirror.cache.index import SQLiteIndex
from hubmirror.cache.memory import Memory, RememberingBlobs, RememberingIndex
from hubmirror.cache.partials import PartialStore
from hubmirror.cache.scrub import Scrubber
from hubmirror.config import Config, Share
from hubmirror.coordination.versions import IVersions
from hubmirror.fetching.fetch import Fetcher, FetchLimits
from hubmirror.mirror.arrivals import Arrivals
from hubmirror.mirror.forgiving import ForgivingIndex

__all__ = ["Pools", "Room", "Storage", "fetch_limits", "room_of"]


@frozen
class Pools:
    """Threads for the disk, for hashing, and the one for SQLite: none waits for another."""

    disk: ThreadPool = field(factory=lambda: ThreadPool(0, 4, "disk"))
    hashing: ThreadPool = field(factory=lambda: ThreadPool(0, 2, "hashing"))
    sqlite: ThreadPool = field(factory=lambda: ThreadPool(1, 1, "sqlite"))

    def all(self) -> tuple[ThreadPool, ...]:
        """Each of them."""
        return self.disk, self.hashing, self.sqlite


@frozen
class Room:
    """How much may be kept, and how many bytes the disk keeps free. A share of ``max_size`` is

    one of what is free and what is kept already, as they are when it comes into force.
    """

    max_size: int | Share
    min_free: int

    def size(self, free: int, kept: int) -> int:
        """``max_size`` in bytes."""
        return self.max_size.of(free + kept) if isinstance(self.max_size, Share) else self.max_size


class Storage:
    """Stores, index and fetches. ``now`` is in seconds since the epoch.

    ``index`` and ``blobs`` remember what was read, up to ``memory_cache`` bytes; ``versions`` tell
    what has changed, where others look at it, too.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        folder: Path,
        now: Callable[[], float],
        limits: FetchLimits,
        pools: Pools,
        room: Room,
        memory_cache: int = 64 * 1024 * 1024,
        versions: IVersions | None = None,
    ) -> None:
        self._folder = folder
        self._now = now
        self._room = room
        self.pools = pools
        threads = (reactor, pools.disk, pools.hashing)
        self._memory = memory = Memory(memory_cache, versions)
        self._blob_files = FileBlobStore(folder, Files(), *threads)
        self.blobs = RememberingBlobs(self._blob_files, memory)
        self.partials = PartialStore(folder, Files(), *threads)
        self._rows = SQLiteIndex(reactor, pools.sqlite, folder, now)
        self.index = RememberingIndex(self._rows, memory)
        self.arrivals = Arrivals(ForgivingIndex(self.index), now)
        self.fetcher = Fetcher(self.partials, reactor, self.arrivals.committed, limits=limits)
        self.scrubber = Scrubber(self.index, self.blobs, reactor)
        self.evictor: Evictor | None = None

    async def open(self) -> None:
        """Sweep what a crash left, and bring index and blobs into line.

        Fails with ``StoreFull``, ``StoreFailed`` or ``IndexTooNew``.
        """
        for pool in self.pools.all():
            pool.start()
        await self._blob_files.sweep()
        await self.partials.sweep()
        await self._rows.open()
        await self._rows.rebuild(self._blob_files.all())
        _count, kept = await self.index.total()
        self.evictor = Evictor(
            self.index,
            self.blobs,
            self.partials,
            max_size=self._room.size(self._free(), kept),
            min_free=self._room.min_free,
            now=self._now,
            free_space=self._free,
            in_use=self.arrivals.is_in_use,
        )

    async def reload(self, config: Config) -> None:
        """Keep as much, in memory and in all, and fetch as ``config`` says from now on."""
        self._memory.resize(config.memory_cache)
        self.fetcher.limit(fetch_limits(config))
        room = room_of(config)
        if room == self._room:
            return
        self._room = room
        if self.evictor is not None:
            _count, kept = await self.index.total()
            self.evictor.resize(room.size(self._free(), kept), room.min_free)

    async def close(self) -> None:
        """Stop fetches, keeping their pieces, and close the index; threads end."""
        try:
            await self.fetcher.close()
            await self.partials.settled()
            await self._rows.close()
        except StoreFailed as error:
            self._log.warn("not all could be written at the end: {why}", why=str(error))
        finally:
            for pool in self.pools.all():
                pool.stop()

    async def make_room(self) -> None:
        """Evict what is too much; a disk that fails is told in the log."""
        try:
            if self.evictor is not None:
                await self.evictor.make_room()
        except StoreFailed as error:
            self._log.warn("no room could be made: {why}", why=str(error))

    async def room_for(self, incoming: int) -> int:
        """Evict what is too much with so many bytes more; returns the bytes freed."""
        return 0 if self.evictor is None else await self.evictor.make_room(incoming)

    def _free(self) -> int:
        return shutil.disk_usage(self._folder).free

    def flush(self) -> Deferred[None]:
        """Write the times at which blobs were asked for."""
        return self._rows.flush()


def fetch_limits(config: Config) -> FetchLimits:
    """How blobs are fetched."""
    return FetchLimits(connections=config.connections_per_blob, finish_below=config.finish_below)


def room_of(config: Config) -> Room:
    """How much may be kept."""
    return Room(config.max_size, config.min_free)
