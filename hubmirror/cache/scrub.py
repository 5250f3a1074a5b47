"""Looking after what is kept: bytes rot, and nobody should be served them."""

from __future__ import annotations

import random as random_numbers
from collections.abc import Callable
from typing import Final, NoReturn

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from hubmirror.cache.errors import StoreFailed
from hubmirror.cache.interfaces import IBlobStore, IIndex
from hubmirror.cache.threads import shielded
from hubmirror.naming import Digest

__all__ = ["Checked", "Scrubber"]

#: The blobs are looked at in as many parts, by the first two digits of their digests.
_PARTS: Final = 256
#: What opening a blob costs, as bytes read.
_OVERHEAD: Final = 64 * 1024


@frozen
class Checked:
    """A blob that was looked at; ``size`` in bytes."""

    digest: Digest
    size: int
    is_right: bool


class Scrubber:
    """Verifies what is kept, and drops what is rotten, so that it is fetched again.

    ``period``, in seconds, is the time in which every blob has its turn; it makes the pace, so
    a large store is read faster than a small one (1 TB a week: 1.7 MB/s). Nothing is
    remembered over restarts: each begins somewhere else (``random`` returns floats from 0 to 1).
    """

    _log = Logger()

    def __init__(
        self,
        index: IIndex,
        blobs: IBlobStore,
        clock: IReactorTime,
        *,
        period: float = 7 * 24 * 3600.0,
        random: Callable[[], float] = random_numbers.random,
    ) -> None:
        self._index = index
        self._blobs = blobs
        self._clock = clock
        self._period = period
        self._random = random
        #: How many blobs were looked at, and how many of them were rotten, for metrics.
        self.checked = 0
        self.rotten = 0

    async def run(self) -> NoReturn:
        """Scrub until cancelled. What fails is logged, and the rest goes on."""
        part = int(self._random() * _PARTS) % _PARTS
        while True:
            await self._scrub(f"{part:02x}", self._clock.seconds() + self._period / _PARTS)
            part = (part + 1) % _PARTS

    async def verify_all(self, progress: Callable[[Checked], None]) -> tuple[Digest, ...]:
        """Verify all at full speed, one blob at a time; returns what was rotten, and is gone.

        ``progress`` is called after each. Raises ``StoreFailed`` when the disk fails.
        """
        rotten = []
        async for digest, size in self._blobs.all():
            is_right = await self._check(digest)
            progress(Checked(digest, size, is_right))
            if not is_right:
                rotten.append(digest)
        return tuple(rotten)

    async def _scrub(self, prefix: str, deadline: float) -> None:
        """Verify the blobs of one part, spread evenly up to ``deadline``."""
        left = await self._part(prefix)
        while left:
            weight = sum(size + _OVERHEAD for _, size in left)
            digest, size = left.pop()
            due = self._clock.seconds() + (
                (deadline - self._clock.seconds()) * (size + _OVERHEAD) / weight
            )
            await self._try(digest)
            await self._wait_until(due)
        await self._wait_until(deadline)

    async def _part(self, prefix: str) -> list[tuple[Digest, int]]:
        try:
            return [row async for row in self._blobs.all() if row[0].encoded.startswith(prefix)]
        except StoreFailed as error:
            self._log.error("the kept blobs can't be listed: {why}", why=str(error))
            return []

    async def _try(self, digest: Digest) -> None:
        try:
            await self._check(digest)
        except StoreFailed as error:
            self._log.error("{digest} can't be verified: {why}", digest=digest, why=str(error))

    async def _check(self, digest: Digest) -> bool:
        """Whether a blob is right, or gone meanwhile; a rotten one is dropped."""
        self.checked += 1
        if await self._blobs.verify(digest) or await self._index.blob(digest) is None:
            return True
        await shielded(Deferred.fromCoroutine(self._drop(digest)))  # no half is left behind
        self.rotten += 1
        self._log.warn(
            "{digest} had rotted and was dropped: it will be fetched anew", digest=digest
        )
        return False

    async def _drop(self, digest: Digest) -> None:
        await self._index.drop_blob(digest)
        await self._blobs.remove(digest)

    async def _wait_until(self, due: float) -> None:
        await deferLater(self._clock, max(0.0, due - self._clock.seconds()))
