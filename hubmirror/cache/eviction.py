"""Keeping the store under its size, and the disk above its least free space."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger

from hubmirror.cache.images import Images, survey
from hubmirror.cache.interfaces import IBlobStore, IIndex
from hubmirror.cache.partials import PartialRow
from hubmirror.cache.threads import shielded
from hubmirror.naming import Digest

__all__ = ["Evictor", "Partials"]

#: Once it has begun, eviction goes on to this share of the size, so that not every put begins
#: it anew.
_LOW_WATER: Final = 0.95
#: Partial downloads that nobody went on with for so long are given up; in seconds.
_ABANDONED_AFTER: Final = 24 * 3600.0
#: When not enough could be freed, it is not tried again for so long; in seconds.
_REST: Final = 60.0


class Partials(Protocol):
    """What eviction needs of a ``PartialStore``."""

    def all(self) -> Deferred[list[PartialRow]]: ...

    def remove(self, digest: Digest) -> Deferred[None]: ...


class Evictor:
    """Makes room: the images that were asked for longest ago go first, each as a whole.

    What they share with other images stays, as does what is pinned and all that belongs to it.
    Before them go partial downloads that nobody went on with for a day. ``max_size`` and
    ``min_free`` are bytes; ``free_space`` tells how many are free on the disk.

    An image of which anything is ``in_use`` stays: it is being read or written. A blob that is
    being written must be so from before its file is there until its row is.

    Of each blob the index's row, links and tags go first and then the file, so at every moment
    what the index tells can be served. A crash between the two leaves a file without a row,
    which gets one at the next start (``SQLiteIndex.rebuild``), and is evicted in its turn.
    """

    _log = Logger()

    def __init__(
        self,
        index: IIndex,
        blobs: IBlobStore,
        partials: Partials,
        *,
        max_size: int,
        min_free: int,
        now: Callable[[], float],
        free_space: Callable[[], int],
        in_use: Callable[[Digest], bool],
    ) -> None:
        self._index = index
        self._blobs = blobs
        self._partials = partials
        self._max_size = max_size
        self._min_free = min_free
        self._now = now
        self._free_space = free_space
        self._in_use = in_use
        self._lock = DeferredLock()
        self._rest_until = float("-inf")

    def resize(self, max_size: int, min_free: int) -> None:
        """Other bounds from now on, in bytes."""
        self._max_size, self._min_free = max_size, min_free
        self._rest_until = float("-inf")

    async def make_room(self, incoming: int = 0) -> int:
        """Make room for ``incoming`` bytes that are about to be kept; returns the bytes freed.

        Cheap while there is room. Nothing is evicted for what is larger than the store may be.
        Fails as the index and the blobs do.
        """
        if incoming > self._max_size or await self._excess(incoming) <= 0:
            return 0
        async with self._lock:  # those who waited here find the room already made
            if self._now() < self._rest_until or await self._excess(incoming) <= 0:
                return 0
            return await self._free(incoming)

    async def _excess(self, incoming: int) -> int:
        """How many bytes have to go."""
        _count, kept = await self._index.total()
        too_large = kept + incoming - self._max_size
        return max(too_large, self._min_free + incoming - self._free_space())

    async def _free(self, incoming: int) -> int:
        partials = await self._remove_abandoned()
        excess = await self._excess(incoming)
        if excess <= 0:
            return partials
        began = self._now()
        goal = excess + int(self._max_size * (1 - _LOW_WATER))
        freed, count = await self._evict(await survey(self._index, self._blobs), goal, began)
        self._log.info("evicted {count} images, {n} bytes, to make room", count=count, n=freed)
        if freed < excess:
            self._rest_until = self._now() + _REST
            self._log.warn(
                "{n} bytes too many are kept, and what is left is pinned or in use",
                n=excess - freed,
            )
        return partials + freed

    async def _remove_abandoned(self) -> int:
        """Remove the partials that were given up; returns their bytes."""
        before = self._now() - _ABANDONED_AFTER
        rows = [row for row in await self._partials.all() if row.changed < before]
        for row in rows:
            await self._partials.remove(row.digest)
        freed = sum(row.size for row in rows)
        if rows:
            self._log.info("removed {n} bytes of abandoned downloads", n=freed)
        return freed

    async def _evict(self, images: Images, goal: int, began: float) -> tuple[int, int]:
        """Evict up to ``goal`` bytes or more; returns how many, and of how many images."""
        freed = count = 0
        for image in images.oldest_first():
            if freed >= goal:
                break
            size = await self._evict_image(images, image, began)
            freed += size
            count += size > 0
        return freed, count

    async def _evict_image(self, images: Images, image: Digest, began: float) -> int:
        """Evict what is only of ``image``, unless it was asked for since; returns its size."""
        found = [await self._index.blob(digest) for digest in images.only_of(image)]
        rows = [row for row in found if row is not None]
        now = self._now()  # a later time comes from a clock that was set back, and tells nothing
        if any(began < row.accessed <= now or self._in_use(row.digest) for row in rows):
            return 0
        for row in rows:  # who is cancelled leaves no half behind
            await shielded(Deferred.fromCoroutine(self._drop(row.digest)))
        images.remove(image)
        return sum(row.size for row in rows)

    async def _drop(self, digest: Digest) -> None:
        await self._index.drop_blob(digest)
        if not self._in_use(digest):  # else it is just being fetched anew
            await self._blobs.remove(digest)
