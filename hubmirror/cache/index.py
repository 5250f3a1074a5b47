"""The index of what is kept, in SQLite."""

# ruff: noqa: S608 - tables and columns are constants of this package; values are parameters
from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from hubmirror.cache.commits import GroupCommit
from hubmirror.cache.errors import StoreFailed, StoreFull
from hubmirror.cache.index_file import IndexFile
from hubmirror.cache.interfaces import BlobRow, IIndex, Link, Listing, Publicity, TagEntry
from hubmirror.cache.looked_at import LookedAtFile
from hubmirror.cache.reconciling import Reconciliation
from hubmirror.cache.rows import (
    BLOBS,
    LINKS,
    LISTINGS,
    PINS,
    PUBLICITY,
    TAGS,
    Change,
    Drop,
    Put,
    Table,
    Where,
    dropped_blob,
)
from hubmirror.cache.threads import Threads
from hubmirror.cache.twin_files import Plan, TwinFiles
from hubmirror.naming import Digest, Repository

__all__ = ["SQLiteIndex"]

T = TypeVar("T")

#: How many blobs ``rebuild`` looks up at a time.
_CHUNK: Final = 1000


@implementer(IIndex)
class SQLiteIndex:
    """Two SQLite files in ``folder``, used by the one thread of ``pool`` (``ThreadPool(1, 1)``).

    ``open`` comes first and ``close`` last. What came by ``touch`` is written by ``flush``,
    which somebody calls every few seconds, and by ``close``: a crash may lose it. Every method
    fails with ``StoreFull`` or ``StoreFailed`` where the disk does.

    ``files`` are ``LookedAtFile`` where another process has the index: then nothing is written,
    and what came by ``touch`` is for ``take_touched``.
    """

    def __init__(
        self,
        reactor: IReactorFromThreads,
        pool: ThreadPool,
        folder: Path,
        now: Callable[[], float],
        files: Callable[[Path], TwinFiles | LookedAtFile] = TwinFiles,
    ) -> None:
        self._threads = Threads(reactor, pool)
        self._now = now
        self._files = files(folder)
        self._touched: dict[Digest, float] = {}
        self._commits = GroupCommit[Plan](
            lambda plans: self._in_thread(lambda: self._files.write(plans))
        )

    def open(self) -> Deferred[None]:
        """Open the files, or make them; what is damaged is mended.

        Fails with ``IndexTooNew`` if a later version wrote them; nothing is touched then.
        """
        return self._in_thread(self._files.open)

    def close(self) -> Deferred[None]:
        """Write what waits, and close the files even if that fails."""
        return Deferred.fromCoroutine(self._close())

    def flush(self) -> Deferred[None]:
        """Write the times that ``touch`` has brought since the last call."""
        touched = self.take_touched()

        def keep(failure: Failure) -> Failure:
            self._touched = {**touched, **self._touched}
            return failure

        return self._commits.add(_touching(touched)).addErrback(keep)

    async def rebuild(self, blobs: AsyncIterator[tuple[Digest, int]]) -> None:
        """Bring the rows into line with the blobs that are there (see ``IBlobStore.all``).

        A blob without a row gets one, as if asked for now. A row without a blob goes, and so do
        links and tags to what is not kept. Blobs that are put meanwhile stay; none may be
        dropped meanwhile.
        """
        files = self._files
        if not isinstance(files, TwinFiles):
            raise TypeError("the index is another process's to rebuild")
        work = await self._in_thread(lambda: Reconciliation(files, self._now()))
        chunk: list[tuple[Digest, int]] = []
        async for blob in blobs:
            chunk.append(blob)
            if len(chunk) == _CHUNK:
                await self._in_thread(partial(work.add, chunk))
                chunk = []
        await self._in_thread(partial(work.add, chunk))
        await self._in_thread(work.finish)

    def tag(self, repository: Repository, tag: str) -> Deferred[tuple[TagEntry, ...]]:
        return self._select(TAGS, {**_at(repository), "tag": tag})

    def put_tag(self, entry: TagEntry) -> Deferred[None]:
        return self._change(TAGS.put(entry))

    def drop_tag(self, repository: Repository, tag: str) -> Deferred[None]:
        return self._change(Drop(TAGS.name, {**_at(repository), "tag": tag}))

    def link(self, repository: Repository, digest: Digest) -> Deferred[Link | None]:
        return self._one(LINKS, {**_at(repository), "digest": str(digest)})

    def put_link(self, link: Link) -> Deferred[None]:
        return self._change(LINKS.put(link))

    def drop_link(self, repository: Repository, digest: Digest) -> Deferred[None]:
        return self._change(Drop(LINKS.name, {**_at(repository), "digest": str(digest)}))

    def publicity(self, repository: Repository) -> Deferred[Publicity | None]:
        found = self._one(PUBLICITY, _at(repository))
        return found.addCallback(lambda known: None if known is None else known[1])

    def put_publicity(self, repository: Repository, publicity: Publicity) -> Deferred[None]:
        return self._change(PUBLICITY.put((repository, publicity)))

    def listing(self, repository: Repository, key: str) -> Deferred[Listing | None]:
        return self._one(LISTINGS, {**_at(repository), "page": key})

    def put_listing(self, listing: Listing) -> Deferred[None]:
        return self._change(LISTINGS.put(listing))

    def blob(self, digest: Digest) -> Deferred[BlobRow | None]:
        found = self._one(BLOBS, {"digest": str(digest)})
        return found.addCallback(lambda row: None if row is None else self._as_touched(row))

    def put_blob(self, row: BlobRow) -> Deferred[None]:
        return self._change(BLOBS.put(row))

    def drop_blob(self, digest: Digest) -> Deferred[None]:
        self._touched.pop(digest, None)
        return self._change(*dropped_blob(str(digest)))

    def touch(self, digests: Iterable[Digest], now: float) -> Deferred[None]:
        for digest in digests:
            self._touched[digest] = max(now, self._touched.get(digest, now))
        return succeed(None)

    def take_touched(self) -> dict[Digest, float]:
        """What came by ``touch`` since the last call, for whoever writes it."""
        touched, self._touched = self._touched, {}
        return touched

    def pin(self, repository: Repository, reference: str, is_pinned: bool) -> Deferred[None]:
        if is_pinned:
            return self._change(PINS.put((repository, reference)))
        return self._change(Drop(PINS.name, {**_at(repository), "reference": reference}))

    def pins(self) -> Deferred[tuple[tuple[Repository, str], ...]]:
        return self._select(PINS, {})

    def repositories(self) -> Deferred[tuple[Repository, ...]]:
        kept = (TAGS, LINKS, LISTINGS)
        sql = " UNION ".join(f"SELECT registry, name FROM {table.name}" for table in kept)
        found = self._in_thread(lambda: self._files.query(f"{sql} ORDER BY registry, name"))
        return found.addCallback(lambda rows: tuple(Repository(*row) for row in rows))

    def tags(self, repository: Repository) -> Deferred[tuple[TagEntry, ...]]:
        return self._select(TAGS, _at(repository))

    def links(self, repository: Repository) -> Deferred[tuple[Link, ...]]:
        return self._select(LINKS, _at(repository))

    def linked_from(self, digest: Digest) -> Deferred[tuple[Repository, ...]]:
        found = self._select(LINKS, {"digest": str(digest)})
        return found.addCallback(lambda links: tuple(link.repository for link in links))

    def least_recent(self, limit: int) -> Deferred[tuple[BlobRow, ...]]:
        # What is touched but not written yet only moves back: with as many more rows, the
        # first ``limit`` in truth are among them.
        tail = f"ORDER BY accessed, digest LIMIT {int(limit) + len(self._touched)}"

        def in_order(rows: tuple[BlobRow, ...]) -> tuple[BlobRow, ...]:
            touched = map(self._as_touched, rows)
            return tuple(sorted(touched, key=lambda row: (row.accessed, str(row.digest)))[:limit])

        return self._select(BLOBS, {}, tail).addCallback(in_order)

    def total(self) -> Deferred[tuple[int, int]]:
        sql = f"SELECT count(*), coalesce(sum(size), 0) FROM {BLOBS.name}"
        return self._in_thread(lambda: self._files.query(sql)).addCallback(lambda rows: rows[0])

    async def _close(self) -> None:
        try:
            if self._files.is_open:
                await self.flush()
        finally:
            await self._in_thread(self._files.close)

    def _select(self, table: Table[T], where: Where, tail: str = "") -> Deferred[tuple[T, ...]]:
        return self._in_thread(lambda: tuple(self._files.select(table, where, tail)))

    def _one(self, table: Table[T], where: Where) -> Deferred[T | None]:
        return self._select(table, where).addCallback(lambda found: found[0] if found else None)

    def _change(self, *changes: Change) -> Deferred[None]:
        return self._commits.add(lambda _: changes)

    def _in_thread(self, work: Callable[[], T]) -> Deferred[T]:
        return self._threads.run(work).addErrback(_as_store_failure)

    def _as_touched(self, row: BlobRow) -> BlobRow:
        return evolve(row, accessed=max(row.accessed, self._touched.get(row.digest, row.accessed)))


def _at(repository: Repository) -> Where:
    return {"registry": repository.registry, "name": repository.name}


def _touching(touched: dict[Digest, float]) -> Plan:
    """Set the times of those that still have a row."""

    def plan(first: IndexFile) -> Sequence[Change]:
        changes: list[Put] = []
        for digest, when in touched.items():
            for row in first.records(BLOBS, {"digest": str(digest)}):
                changes.append(BLOBS.put(evolve(row, accessed=max(row.accessed, when))))
        return changes

    return plan


def _as_store_failure(failure: Failure) -> Failure:
    """The names that callers know for a disk that fails."""
    error = failure.value
    if isinstance(error, sqlite3.Error):
        if "full" in str(error):
            raise StoreFull(str(error)) from error
        raise StoreFailed(str(error)) from error
    return failure
