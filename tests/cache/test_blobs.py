"""Tests of the blobs in files."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred

from hubmirror.cache.blobs import FileBlobStore
from hubmirror.cache.errors import StoreFailed, StoreFull
from hubmirror.cache.layout import Layout
from tests.cache.broken_files import BrokenFiles
from tests.cache.contract_blobs import DATA, BlobStoreContract, digest_of
from tests.cache.contract_partials import Restart

DIGEST = digest_of(DATA)


@pytest.fixture
def blobs(restart: Restart) -> FileBlobStore:
    """The store, in an empty folder."""
    blobs, _ = pytest_twisted.blockon(restart())
    assert isinstance(blobs, FileBlobStore)
    return blobs


class TestFileBlobStore(BlobStoreContract):
    """The contract holds."""


@ensureDeferred
async def test_a_blob_is_a_file_of_its_owner(blobs: FileBlobStore, tmp_path: Path) -> None:
    """Under its digest, mode 0600, and nothing is left beside it."""
    await blobs.put(DIGEST, DATA)
    path = tmp_path / "blobs" / "sha256" / DIGEST.encoded
    assert path.read_bytes() == DATA
    assert path.stat().st_mode & 0o777 == 0o600
    assert list((tmp_path / "partial").iterdir()) == []


@ensureDeferred
async def test_putting_again_mends_a_rotten_blob(blobs: FileBlobStore, tmp_path: Path) -> None:
    """The file is replaced."""
    await blobs.put(DIGEST, DATA)
    Layout(tmp_path).blob(DIGEST).write_bytes(DATA[:-1])
    assert not await blobs.verify(DIGEST)
    await blobs.put(DIGEST, DATA)
    assert await blobs.verify(DIGEST)


@ensureDeferred
async def test_a_blob_that_cannot_be_read_does_not_verify(
    blobs: FileBlobStore, tmp_path: Path
) -> None:
    """A folder stands for a disk that answers with an error."""
    Layout(tmp_path).blob(DIGEST).mkdir()
    assert not await blobs.verify(DIGEST)
    with pytest.raises(StoreFailed):
        await blobs.read(DIGEST)


@ensureDeferred
async def test_other_files_are_no_blobs(blobs: FileBlobStore, tmp_path: Path) -> None:
    """What somebody put there is neither told nor touched."""
    note = tmp_path / "blobs" / "sha256" / "NOTE"
    note.write_text("mine")
    await blobs.put(DIGEST, DATA)
    assert [row async for row in blobs.all()] == [(DIGEST, len(DATA))]
    await blobs.sweep()
    assert note.read_text() == "mine"


@ensureDeferred
async def test_a_sweep_removes_what_was_half_written(blobs: FileBlobStore, tmp_path: Path) -> None:
    """Temporary files, and no others."""
    (tmp_path / "partial" / "0123.temp").write_bytes(b"half")
    (tmp_path / "partial" / "0123.data").write_bytes(b"a partial store's")
    await blobs.put(DIGEST, DATA)
    await blobs.sweep()
    assert [path.name for path in (tmp_path / "partial").iterdir()] == ["0123.data"]
    assert await blobs.read(DIGEST) == DATA


@pytest.mark.parametrize("name", ["open", "pwrite", "fsync", "rename"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
@ensureDeferred
async def test_a_disk_that_takes_no_more(
    blobs: FileBlobStore, files: BrokenFiles, tmp_path: Path, name: str, code: int
) -> None:
    """``StoreFull``, nothing is left, and it works again when there is room."""
    files.errors[name] = code
    with pytest.raises(StoreFull):
        await blobs.put(DIGEST, DATA)
    assert await blobs.read(DIGEST) is None
    assert list((tmp_path / "partial").iterdir()) == []
    files.errors.clear()
    await blobs.put(DIGEST, DATA)
    assert await blobs.read(DIGEST) == DATA


@ensureDeferred
async def test_what_is_not_durable_was_not_put(blobs: FileBlobStore, files: BrokenFiles) -> None:
    """A folder that can't be synced fails the put and the removal."""
    files.errors["fsync_folder"] = errno.EIO
    with pytest.raises(StoreFailed):
        await blobs.put(DIGEST, DATA)
    with pytest.raises(StoreFailed):
        await blobs.remove(DIGEST)


@ensureDeferred
async def test_who_cancels_an_open_leaves_no_file_open(blobs: FileBlobStore) -> None:
    """The descriptor is closed when it comes."""
    await blobs.put(DIGEST, DATA)
    before = set(os.listdir("/proc/self/fd"))
    opening = blobs.open(DIGEST)
    opening.addErrback(lambda _: None)
    opening.cancel()
    await blobs.read(DIGEST)
    await blobs.sweep()
    assert {fd for fd in os.listdir("/proc/self/fd") if fd not in before} == set()
