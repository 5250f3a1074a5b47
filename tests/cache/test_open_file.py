"""Files under threads' hands."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from hubmirror.cache.open_file import FileError, OpenFile
from tests.cache.collecting import collect, here, result_of


def is_open(fd: int) -> bool:
    """Whether the descriptor names a file."""
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


@pytest.fixture
def fd(tmp_path: Path) -> int:
    """A new file."""
    return os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)


def test_write_and_read(fd: int) -> None:
    """What is written is hashed on the way, and is read by its place."""
    file, hashed = OpenFile(fd, here), hashlib.sha256()

    result_of(file.write(b"0123456789", hashed))

    assert result_of(file.read(4, 2)) == b"2345"
    assert b"".join(collect(file.chunks(3, 5))) == b"34567"
    assert b"".join(collect(file.chunks(8, 100))) == b"89"
    assert hashed.hexdigest() == hashlib.sha256(b"0123456789").hexdigest()
    file.close()
    assert not is_open(fd)


def test_what_the_system_refuses(tmp_path: Path) -> None:
    """Its reason is told, and it is no failure of the store."""
    file = OpenFile(os.open(tmp_path, os.O_RDONLY), here)

    with pytest.raises(FileError, match="Is a directory"):
        result_of(file.read(1, 0))
    file.close()


def test_closed_after_the_last_thread(fd: int) -> None:
    """To cancel and close leaves the file to the thread that still uses it."""
    started: list[Callable[[], None]] = []

    def later(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Deferred[Any]:
        result: Deferred[Any] = Deferred()
        started.append(lambda: result.callback(work(*args, **kwargs)))
        return result

    file = OpenFile(fd, later)
    reading = file.read(1, 0)
    reading.cancel()
    with pytest.raises(CancelledError):
        result_of(reading)
    file.close()
    assert is_open(fd)

    started[0]()
    assert not is_open(fd)
