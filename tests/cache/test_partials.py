"""Tests of the partial blobs in files."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from pytest_twisted import ensureDeferred

from hubmirror.cache.errors import StoreFailed, StoreFull
from hubmirror.cache.layout import Layout
from hubmirror.cache.partials import PartialStore
from hubmirror.cache.pieces import Pieces
from hubmirror.cache.record import PiecesRecord
from tests.cache.broken_files import BrokenFiles
from tests.cache.contract_blobs import digest_of
from tests.cache.contract_partials import (
    DATA,
    DIGEST,
    ETAG,
    SIZE,
    PartialStoreContract,
    Restart,
    opened,
)


def names_in(folder: Path) -> set[str]:
    """The endings of what lies among the partial blobs."""
    return {path.suffix for path in (folder / "partial").iterdir()}


class TestPartialStore(PartialStoreContract):
    """The contract holds."""


@ensureDeferred
async def test_a_partial_is_a_sparse_file(partials: PartialStore, tmp_path: Path) -> None:
    """As long as the blob, and on the disk only what was written; its record beside it."""
    partial = await partials.open(DIGEST, 1 << 40, None)
    partial.write(1 << 39, b"in the middle")
    await partial.save()
    stat = Layout(tmp_path).data(DIGEST).stat()
    assert stat.st_size == 1 << 40
    assert stat.st_blocks * 512 < 1 << 20
    assert stat.st_mode & 0o777 == 0o600
    assert names_in(tmp_path) == {".data", ".pieces"}
    partial.discard()


@pytest.mark.parametrize("size", [-1, 1 << 63])
@ensureDeferred
async def test_no_file_has_that_size(partials: PartialStore, size: int) -> None:
    """``ValueError``, and the digest is free for another."""
    with pytest.raises(ValueError, match="size"):
        await partials.open(DIGEST, size, None)
    (await opened(partials)).discard()


@ensureDeferred
async def test_a_size_that_the_disk_refuses(partials: PartialStore, tmp_path: Path) -> None:
    """``StoreFailed``; what it left is swept, and no descriptor stays open."""
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(StoreFailed):
        await partials.open(DIGEST, (1 << 63) - 1, None)
    assert len(os.listdir("/proc/self/fd")) == before
    await partials.sweep()
    assert names_in(tmp_path) == set()


@pytest.mark.parametrize("damage", ["record", "foreign", "data", "no data", "short data"])
@ensureDeferred
async def test_damaged_pieces_are_thrown_away(
    partials: PartialStore, tmp_path: Path, damage: str
) -> None:
    """A changed byte in the record, another blob's record, data that is not what it was."""
    partial = await opened(partials)
    partial.write(0, DATA[:10])
    partial.close()
    await partials.settled()
    layout = Layout(tmp_path)
    data, record = layout.data(DIGEST), layout.record(DIGEST)
    if damage == "record":
        record.write_bytes(record.read_bytes().replace(b"0-10", b"0-90"))
    elif damage == "foreign":
        other = PiecesRecord(digest_of(b""), SIZE, ETAG, Pieces(SIZE, [(0, 10)]))
        record.write_bytes(other.to_bytes())
    elif damage == "data":
        data.write_bytes(b"")
    elif damage == "no data":
        data.unlink()
    else:
        os.truncate(data, SIZE - 1)
    again = await opened(partials)
    assert again.missing(0, SIZE) == [(0, SIZE)]
    again.write(0, DATA)
    assert await again.commit()
    again.close()


@ensureDeferred
async def test_a_sweep_removes_what_is_of_no_use(restart: Restart, tmp_path: Path) -> None:
    """Whole pairs stay; what has no partner, is foreign or is a blob by now goes."""
    blobs, partials = await restart()
    partial = await opened(partials)
    partial.write(0, DATA[:10])
    await partial.save()
    folder = tmp_path / "partial"
    for name in ("x.temp", "x.data", f"sha256-{'0' * 64}.data", f"sha256-{'1' * 64}.pieces"):
        (folder / name).write_bytes(b"?")
    (folder / "folder").mkdir()
    _, partials = await restart()
    assert {path.stem for path in folder.iterdir()} == {f"sha256-{DIGEST.encoded}", "folder"}
    await blobs.put(DIGEST, DATA)
    await restart()
    assert {path.name for path in folder.iterdir()} == {"folder"}
    partial.discard()


@ensureDeferred
async def test_they_are_told_and_removed(partials: PartialStore, tmp_path: Path) -> None:
    """With what they take on the disk and when they changed, for who makes room."""
    partial = await opened(partials)
    partial.write(0, DATA)
    await partial.save()
    (row,) = await partials.all()
    assert row.digest == DIGEST
    assert row.size == await partials.total() >= SIZE
    assert row.changed == Layout(tmp_path).data(DIGEST).stat().st_mtime
    await partials.remove(DIGEST)
    assert await partials.all() == [row]
    partial.close()
    await partials.remove(DIGEST)
    assert names_in(tmp_path) == set()
    await partials.remove(DIGEST)
    assert await partials.total() == 0


@pytest.mark.parametrize("name", ["open", "truncate"])
@ensureDeferred
async def test_a_full_disk_at_the_opening(
    partials: PartialStore, files: BrokenFiles, name: str
) -> None:
    """``StoreFull``, and the next try is free to succeed."""
    files.errors[name] = errno.ENOSPC
    with pytest.raises(StoreFull):
        await opened(partials)
    files.errors.clear()
    (await opened(partials)).discard()
