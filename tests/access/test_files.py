"""Tests of the small files that commands write and the daemon reads again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from hubmirror.access.files import (
    LOOK,
    MAX_FILE,
    AccessFileError,
    WatchedFile,
    editing,
    write_private,
)


def number(data: bytes) -> int:
    """The parser of these tests; raises ``ValueError``."""
    return int(data or b"0")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "access" / "number"


def test_a_change_is_seen_a_moment_later(path: Path) -> None:
    """Not before: a look costs something."""
    clock = Clock()
    file = WatchedFile(path, number, clock.seconds)
    assert file.value == 0
    write_private(path, b"7")
    assert file.value == 0
    clock.advance(LOOK)
    assert file.value == 7
    path.unlink()
    clock.advance(LOOK)
    assert file.value == 0


def test_who_must_know_looks_at_once(path: Path) -> None:
    file = WatchedFile(path, number, Clock().seconds)
    write_private(path, b"7")
    file.look()
    assert file.value == 7


def test_what_was_there_holds_where_it_is_broken(path: Path) -> None:
    """It is told in the log; at the first look there is nothing that could hold."""
    clock = Clock()
    write_private(path, b"7")
    file = WatchedFile(path, number, clock.seconds)
    write_private(path, b"x")
    clock.advance(LOOK)
    assert file.value == 7
    with pytest.raises(AccessFileError, match="number"):
        WatchedFile(path, number, clock.seconds)


def test_a_file_that_others_may_write_is_not_believed(path: Path) -> None:
    write_private(path, b"7")
    path.chmod(0o620)
    with pytest.raises(AccessFileError, match="chmod 600"):
        WatchedFile(path, number, Clock().seconds)


def test_a_huge_file_is_not_read(path: Path) -> None:
    write_private(path, b"")
    os.truncate(path, MAX_FILE + 1)
    with pytest.raises(AccessFileError, match="more than"):
        WatchedFile(path, number, Clock().seconds)


def test_what_is_written_is_its_owners_alone(path: Path) -> None:
    """The owner of the folder, whoever writes; a draft that a crash left is no harm."""
    path.parent.mkdir()
    os.chown(path.parent, 4321, 4321)
    path.with_name(".number.new").write_bytes(b"half")
    write_private(path, b"7")
    assert path.stat().st_mode & 0o777 == 0o600
    assert (path.stat().st_uid, path.read_bytes()) == (4321, b"7")
    assert [one.name for one in path.parent.iterdir()] == ["number"]


def test_one_edits_at_a_time(path: Path) -> None:
    """What is edited is what the one before has left."""
    with editing(path) as data:
        assert data == b""
        write_private(path, b"7")
    with editing(path) as data:
        assert data == b"7"
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_can_not_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AccessFileError), editing(tmp_path / "file" / "users"):
        pass
    with pytest.raises(AccessFileError):
        write_private(tmp_path / "file" / "users", b"")
