"""Things to keep in an index, and ways to hold and to harm one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from twisted.python.threadpool import ThreadPool

from hubmirror.cache.index import SQLiteIndex
from hubmirror.cache.interfaces import BlobRow, Link, Listing, Publicity, TagEntry
from hubmirror.cache.rows import BLOBS, LINKS, LISTINGS, PINS, PUBLICITY, TAGS, Change, Put
from hubmirror.cache.twin_files import FILE_NAMES, TwinFiles
from hubmirror.naming import Digest, Repository

BUSYBOX = Repository("docker.io", "library/busybox")
ALPINE = Repository("docker.io", "library/alpine")
ELSEWHERE = Repository("ghcr.io", "library/busybox")

NOW = 1_790_000_000.0
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def digest(text: str) -> Digest:
    """The digest of ``text``."""
    return Digest("sha256", sha256(text.encode()).hexdigest())


def tag_entry(tag: str, of: str, repository: Repository = BUSYBOX, variant: str = "") -> TagEntry:
    """A tag that points to ``digest(of)``."""
    return TagEntry(repository, tag, variant, digest(of), MANIFEST, NOW)


def one_of_each() -> list[Put]:
    """A change for each kind of row, so that each table has one."""
    return [
        TAGS.put(tag_entry("latest", "one")),
        LINKS.put(Link(BUSYBOX, digest("one"), MANIFEST)),
        PUBLICITY.put((BUSYBOX, Publicity(True, NOW))),
        LISTINGS.put(Listing(BUSYBOX, "n=2", (("Link", "</v2/>"),), b'{"tags":[]}', NOW)),
        PINS.put((BUSYBOX, "latest")),
        BLOBS.put(BlobRow(digest("one"), 3, NOW)),
    ]


@asynccontextmanager
async def opened_index(reactor: Any, folder: Path, now: float = NOW) -> AsyncIterator[SQLiteIndex]:
    """The index in ``folder``, with a thread of its own, closed in the end."""
    pool = ThreadPool(1, 1)
    pool.start()
    index = SQLiteIndex(reactor, pool, folder, lambda: now)
    try:
        await index.open()
        yield index
    finally:
        try:
            await index.close()
        finally:
            pool.stop()


@contextmanager
def opened_files(folder: Path) -> Iterator[TwinFiles]:
    """The two files in ``folder``, closed in the end."""
    files = TwinFiles(folder)
    files.open()
    try:
        yield files
    finally:
        files.close()


def write(files: TwinFiles, *changes: Change) -> None:
    """One batch."""
    files.write([lambda _: changes])


def contents(files: TwinFiles) -> dict[str, list[Any]]:
    """All that two files hold."""
    tables = (TAGS, LINKS, PUBLICITY, LISTINGS, PINS, BLOBS)
    return {table.name: files.select(table) for table in tables}


def paths_in(folder: Path) -> list[Path]:
    """The two files."""
    return [folder / name for name in FILE_NAMES]


def change_byte(path: Path, offset: int) -> None:
    """Make one byte another one."""
    with path.open("r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 0x81]))


def change_text(path: Path, text: str) -> None:
    """Change one byte in the middle of each place where ``text`` is."""
    data = path.read_bytes()
    at = data.find(text.encode())
    assert at >= 0
    while at >= 0:
        change_byte(path, at + len(text) // 2)
        at = data.find(text.encode(), at + 1)
