"""A fetcher between the hosts in memory and a real store in a folder, and those who download."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from hubmirror.cache.files import Files
from hubmirror.cache.partials import PartialRow
from hubmirror.fetching.fetch import Fetcher, FetchLimits
from hubmirror.naming import Digest, Repository
from hubmirror.question import IGrowingFile
from hubmirror.upstream.blobs import RemoteBlob
from hubmirror.upstream.registry import RemoteRegistry
from tests.fetching.host import HUB, BlobHost
from tests.fetching.inline import InlinePool, open_stores

__all__ = ["KIB", "LIMITS", "Download", "MakeScene", "Scene", "make_blob", "sha256"]

KIB = 1024
#: As the fixture ``make_scene``: a blob, and the options of ``Scene``.
MakeScene = Callable[..., "Scene"]

Commit = Callable[[Digest, int], Awaitable[None]]

_REPOSITORY = Repository("docker.io", "library/busybox")

#: As the defaults are, a thousandth of their size.
LIMITS = FetchLimits(
    connections=4,
    piece=8 * KIB,
    finish_below=16 * KIB,
    held_back=64,
    worthwhile=64,
    window=4 * KIB,
    hash_every=4 * KIB,
    save_every=16 * KIB,
)


def make_blob(size: int) -> bytes:
    """Bytes that are each somewhere else."""
    return random.Random(size).randbytes(size)  # noqa: S311 - no secret


def sha256(blob: bytes) -> Digest:
    return Digest("sha256", hashlib.sha256(blob).hexdigest())


class Download:
    """One client: reads ``length`` bytes from ``start`` as they come, unless ``is_slow``."""

    def __init__(
        self, opening: Deferred[tuple[IGrowingFile, int]], start: int, length: int | None
    ) -> None:
        self.data = bytearray()
        self.size: int | None = None
        self.error: BaseException | None = None
        self.is_done = False
        self.is_slow = False
        self.reader: IGrowingFile | None = None
        self._start, self._length = start, length
        self._work = opening
        opening.addCallback(self._read).addErrback(self._fail)

    @property
    def is_over(self) -> bool:
        return self.is_done or self.error is not None

    def leave(self) -> None:
        """The client goes away."""
        self._work.cancel()
        if self.reader is not None:
            self.reader.close()

    def _read(self, opened: tuple[IGrowingFile, int]) -> Deferred[None]:
        self.reader, self.size = opened
        return Deferred.fromCoroutine(self._copy(self.reader, self.size))

    async def _copy(self, reader: IGrowingFile, size: int) -> None:
        end = size if self._length is None else min(size, self._start + self._length)
        position = self._start
        while position < end:
            there = 0 if self.is_slow else reader.available(position)
            if self.is_slow:
                await Deferred()
            if not there:
                await reader.wait(position)
                continue
            data = os.pread(reader.fd, min(there, end - position), position)
            self.data += data
            position += len(data)
        self.is_done = True
        reader.close()

    def _fail(self, failure: Failure) -> None:
        self.error = failure.value
        if self.reader is not None:
            self.reader.close()


class Scene:
    """``host`` upstream of ``fetcher``; time passes only in ``run``."""

    def __init__(
        self,
        folder: Path,
        blob: bytes,
        *,
        limits: FetchLimits = LIMITS,
        digest: Digest | None = None,
        files: Files | None = None,
    ) -> None:
        self.host = BlobHost(blob)
        self.clock = self.host.clock
        self.digest = digest or sha256(blob)
        self.committed: list[tuple[Digest, int]] = []
        self.downloads: list[Download] = []
        self.pool = InlinePool()
        self._folder, self._files, self._limits = folder, files, limits
        self.restart()

    def restart(self, commit: Commit | None = None) -> None:
        """A new daemon on the same folder."""
        self._partials, self.blobs = open_stores(self._folder, self.pool, self._files)
        self.fetcher = Fetcher(
            self._partials,
            self.clock,
            commit or self._commit,
            limits=self._limits,
            random=lambda: 0.0,
        )

    def partials_kept(self) -> list[Digest]:
        """What is kept of blobs that are not whole."""
        rows: list[PartialRow] = []
        self._partials.all().addCallback(rows.extend)
        return [row.digest for row in rows]

    def remote(
        self,
        authorize: Callable[[], str | None] = lambda: None,
        *,
        needs_reader: bool = False,
        digest: Digest | None = None,
    ) -> RemoteBlob:
        async def authorized() -> str | None:
            return authorize()

        client = self.host.client()
        return RemoteBlob(
            client,
            RemoteRegistry(client, HUB),
            _REPOSITORY,
            digest or self.digest,
            authorized,
            needs_reader=needs_reader,
        )

    def download(
        self, start: int = 0, length: int | None = None, remote: RemoteBlob | None = None
    ) -> Download:
        """A client begins."""
        reading = self.fetcher.read(remote or self.remote(), start, length)
        download = Download(Deferred.fromCoroutine(reading), start, length)
        self.downloads.append(download)
        return download

    def run(self, until: Callable[[], bool] | None = None, amount: int = KIB) -> None:
        """Let all go on, until the hosts and the fetcher are idle, or ``until`` says so."""
        for _ in range(100_000):
            self.turn(amount)
            if until is not None:
                if until():
                    return
            elif self._is_idle():
                return
        raise AssertionError("it goes on for ever")

    def turn(self, amount: int = KIB) -> None:
        """One moment."""
        self.clock.advance(0.01)
        self.host.step(amount)

    def close(self) -> None:
        """Everybody leaves, and the daemon ends: nothing is left in the clock."""
        for download in self.downloads:
            download.leave()
        Deferred.fromCoroutine(self.fetcher.close())
        self.run()
        assert self.clock.getDelayedCalls() == []

    def _is_idle(self) -> bool:
        return self.host.is_idle and not self.fetcher.running() and not self._is_awaited()

    def _is_awaited(self) -> bool:
        return any(not each.is_over and not each.is_slow for each in self.downloads) and bool(
            self.clock.getDelayedCalls()
        )

    async def _commit(self, digest: Digest, size: int) -> None:
        self.committed.append((digest, size))
