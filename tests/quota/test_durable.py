"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from hubmirror.quota.durable import create, set_aside, sync_folder


def test_creates_a_private_file_with_all_its_blocks(tmp_path: Path) -> None:
    """Zeros are written, too; nothing is left beside it."""
    path = tmp_path / "file"
    create(path, bytes(1 << 20))
    status = path.stat()
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert status.st_blocks * 512 >= 1 << 20
    assert path.read_bytes() == bytes(1 << 20)
    assert list(tmp_path.iterdir()) == [path]


def test_a_remnant_is_no_matter(tmp_path: Path) -> None:
    """A process that died while it made the file leaves one that the next overwrites."""
    (tmp_path / "file.new").write_bytes(b"half of something else")
    create(tmp_path / "file", b"whole")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"whole"]


def test_the_content_is_durable_before_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First the file, then its folder; in between it gets its name."""
    synced: list[list[str]] = []
    fsync = os.fsync

    def noted(fd: int) -> None:
        synced.append([path.name for path in tmp_path.iterdir()])
        fsync(fd)

    monkeypatch.setattr(os, "fsync", noted)
    create(tmp_path / "file", b"content")
    assert synced == [["file.new"], ["file"]]


@pytest.mark.parametrize("work", [lambda path: create(path / "file", b""), sync_folder])
def test_a_missing_folder_is_an_error(tmp_path: Path, work: object) -> None:
    """The caller learns of it."""
    assert callable(work)
    with pytest.raises(FileNotFoundError):
        work(tmp_path / "missing")


def test_sets_aside_under_a_free_name(tmp_path: Path) -> None:
    """Each one that is set aside is kept."""
    path = tmp_path / "file"
    for content in ("first", "second"):
        path.write_text(content)
        set_aside(path)
    assert not path.exists()
    assert (tmp_path / "file.damaged-1").read_text() == "first"
    assert (tmp_path / "file.damaged-2").read_text() == "second"


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("nowhere")])
def test_sets_aside_whatever_is_there(tmp_path: Path, make: object) -> None:
    """A folder, a pipe, a dangling link."""
    assert callable(make)
    make(tmp_path / "file")
    aside = set_aside(tmp_path / "file")
    assert os.listdir(tmp_path) == [aside.name] == ["file.damaged-1"]


def test_companions_go_along_and_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They belong to the file; those that are missing are no matter."""
    for name in ("file", "file-journal"):
        (tmp_path / name).write_text(name)
    renamed: list[str] = []
    rename = Path.rename

    def noted(path: Path, target: Path) -> Path:
        renamed.append(path.name)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", noted)
    set_aside(tmp_path / "file", ("-journal", "-wal"))
    assert renamed == ["file-journal", "file"]
    assert (tmp_path / "file.damaged-1-journal").read_text() == "file-journal"
    assert (tmp_path / "file.damaged-1").read_text() == "file"
