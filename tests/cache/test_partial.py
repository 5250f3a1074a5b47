"""Tests of a partial blob on a disk that fails. What it does on others is in the contract."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import gatherResults
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import implementer

from hubmirror.cache.errors import StoreFailed, StoreFull
from hubmirror.cache.partials import PartialStore
from tests.cache.broken_files import BrokenFiles
from tests.cache.contract_partials import DATA, SIZE, opened


@ensureDeferred
async def test_a_full_disk_takes_no_bytes(partials: PartialStore, files: BrokenFiles) -> None:
    """``StoreFull``: they are missing, and what came before is there."""
    partial = await opened(partials)
    partial.write(0, DATA[:10])
    files.errors["pwrite"] = errno.ENOSPC
    with pytest.raises(StoreFull, match="the disk is full"):
        partial.write(10, DATA[10:20])
    assert partial.missing(0, 20) == [(10, 20)]
    assert os.pread(partial.fileno(), 10, 0) == DATA[:10]
    partial.discard()


@pytest.mark.parametrize("name", ["open", "fsync", "rename", "fsync_folder"])
@ensureDeferred
async def test_a_save_that_failed_can_be_tried_again(
    partials: PartialStore, files: BrokenFiles, tmp_path: Path, name: str
) -> None:
    """When the record could not be written; nothing half written is left."""
    partial = await opened(partials)
    partial.write(0, DATA[:10])
    files.errors[name] = errno.ENOSPC
    with pytest.raises(StoreFull):
        await partial.save()
    assert not list((tmp_path / "partial").glob("*.temp"))
    files.errors.clear()
    await partial.save()
    partial.close()
    again = await opened(partials)
    assert again.available(0) == 10
    again.discard()


@ensureDeferred
async def test_a_data_sync_that_failed_is_believed(
    partials: PartialStore, files: BrokenFiles
) -> None:
    """The kernel may have dropped the bytes: neither a save nor a commit succeeds after it."""
    partial = await opened(partials)
    partial.write(0, DATA)
    files.errors["fdatasync"] = errno.EIO
    with pytest.raises(StoreFailed):
        await partial.save()
    files.errors.clear()
    with pytest.raises(StoreFailed):
        await partial.save()
    with pytest.raises(StoreFailed):
        await partial.commit()
    partial.close()
    again = await opened(partials)
    assert again.missing(0, SIZE) == [(0, SIZE)]
    again.discard()


@pytest.mark.parametrize("name", ["fsync", "rename", "fsync_folder"])
@ensureDeferred
async def test_a_commit_that_failed(partials: PartialStore, files: BrokenFiles, name: str) -> None:
    """``StoreFull``; the next fetch is free to succeed."""
    partial = await opened(partials)
    partial.write(0, DATA)
    files.errors[name] = errno.ENOSPC
    with pytest.raises(StoreFull):
        await partial.commit()
    files.errors.clear()
    partial.discard()
    again = await opened(partials)
    again.write(0, DATA)
    assert await again.commit()
    again.close()


@ensureDeferred
async def test_a_disk_that_fails_at_the_end_is_told_in_the_log(
    partials: PartialStore, files: BrokenFiles
) -> None:
    """Nobody waits for a close; the digest is free afterwards."""
    partial = await opened(partials)
    partial.write(0, DATA[:10])
    files.errors["fsync_folder"] = errno.EROFS
    texts: list[str] = []

    @implementer(ILogObserver)
    def note(event: LogEvent) -> None:
        texts.append(str(event.get("error")))

    globalLogPublisher.addObserver(note)
    partial.close()
    await partials.settled()
    globalLogPublisher.removeObserver(note)
    assert texts == ["the disk is read-only"]
    files.errors.clear()
    (await opened(partials)).discard()


@ensureDeferred
async def test_wrong_bytes_that_cannot_be_removed_are_wrong_all_the_same(
    partials: PartialStore, files: BrokenFiles
) -> None:
    """The commit says no."""
    partial = await opened(partials)
    partial.write(0, b"!" * SIZE)
    files.errors["unlink"] = errno.EROFS
    assert not await partial.commit()
    partial.close()


@ensureDeferred
async def test_a_file_that_shrank_is_an_error(partials: PartialStore) -> None:
    """It is not waited for: hashing ends."""
    partial = await opened(partials)
    partial.write(0, DATA)
    os.truncate(partial.fileno(), 10)
    with pytest.raises(StoreFailed, match="shrunk"):
        await partial.digest_of_prefix()
    partial.discard()


@ensureDeferred
async def test_an_end_in_the_middle_of_a_commit(partials: PartialStore) -> None:
    """Whichever comes first: kept as a blob, or not; never both, never neither."""
    partial = await opened(partials)
    partial.write(0, DATA)
    committed = partial.commit().addErrback(lambda reason: reason.check(StoreFailed) is None)
    partial.close()
    is_blob = await committed
    again = await opened(partials)
    assert again.missing(0, SIZE) == ([(0, SIZE)] if is_blob else [])
    again.discard()


@ensureDeferred
async def test_saves_at_once_share_their_syncs(
    partials: PartialStore, monkeypatch: pytest.MonkeyPatch, files: BrokenFiles
) -> None:
    """The second takes all that has come; the others find nothing to do."""
    syncs: list[int] = []
    monkeypatch.setattr(files, "fdatasync", syncs.append)
    partial = await opened(partials)
    partial.write(0, DATA[:10])
    saves = [partial.save()]
    partial.write(10, DATA[10:20])
    saves += [partial.save(), partial.save(), partial.save()]
    await gatherResults(saves)
    assert 1 <= len(syncs) <= 2
    await partial.save()
    assert 1 <= len(syncs) <= 2
    partial.discard()
