"""Tests of the file layer."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from hubmirror.cache.files import CHUNK, Files, chunks, unlink_if_there, write_file
from tests.cache.broken_files import BrokenFiles


def test_a_written_file_is_its_owners_alone(tmp_path: Path) -> None:
    """Mode 0600, whatever the umask allows, and a folder 0700."""
    before = os.umask(0)
    try:
        write_file(Files(), tmp_path / "file", b"bytes")
        Files().make_folder(tmp_path / "folder")
    finally:
        os.umask(before)
    assert (tmp_path / "file").read_bytes() == b"bytes"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o700


def test_pwrite_writes_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the system takes a part at a time, as it does before a disk is full."""
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: pwrite(fd, data[:3], offset))
    write_file(Files(), tmp_path / "file", b"0123456789")
    assert (tmp_path / "file").read_bytes() == b"0123456789"


def test_syncs_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each the right thing, by the right call."""
    calls: list[tuple[str, str]] = []
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(
            os, name, lambda fd, name=name: calls.append((name, os.readlink(f"/proc/self/fd/{fd}")))
        )
    files = Files()
    fd = files.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    files.fsync(fd)
    files.fdatasync(fd)
    files.close(fd)
    files.fsync_folder(tmp_path)
    file, folder = str(tmp_path / "file"), str(tmp_path)
    assert calls == [("fsync", file), ("fdatasync", file), ("fsync", folder)]


@pytest.mark.parametrize("name", ["pwrite", "fsync"])
def test_a_file_that_could_not_be_written_is_not_left(tmp_path: Path, name: str) -> None:
    """Nor its descriptor."""
    files = BrokenFiles()
    files.errors[name] = errno.ENOSPC
    count = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="No space left"):
        write_file(files, tmp_path / "file", b"bytes")
    assert list(tmp_path.iterdir()) == []
    assert len(os.listdir("/proc/self/fd")) == count


def test_unlink_if_there(tmp_path: Path) -> None:
    """It tells, and other errors pass."""
    (tmp_path / "file").touch()
    assert unlink_if_there(Files(), tmp_path / "file")
    assert not unlink_if_there(Files(), tmp_path / "file")
    with pytest.raises(OSError, match="directory"):
        unlink_if_there(Files(), tmp_path)


@pytest.mark.parametrize(
    ("start", "end", "sizes"),
    [
        (0, 2 * CHUNK + 5, [CHUNK, CHUNK, 5]),
        (7, 17, [10]),
        (5, 5, []),
        (2 * CHUNK, 9 * CHUNK, [5]),
    ],
)
def test_chunks(tmp_path: Path, start: int, end: int, sizes: list[int]) -> None:
    """A MiB at a time, to the end that was asked for or that there is."""
    path = tmp_path / "file"
    data = os.urandom(2 * CHUNK + 5)
    path.write_bytes(data)
    with path.open("rb") as file:
        found = list(chunks(file.fileno(), start, end))
    assert [len(chunk) for chunk in found] == sizes
    assert b"".join(found) == data[start:end]
