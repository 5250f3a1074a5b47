"""Reading what is in memory, and what is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred, succeed

from hubmirror.transport.reading import FileReader


def test_both_ways_read_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once where the kernel has the pages, else in a thread."""
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 100)
    threads: list[tuple[int, int, int]] = []

    def in_thread(fd: int, size: int, offset: int) -> Deferred[bytes]:
        threads.append((fd, size, offset))
        return succeed(os.pread(fd, size, offset))

    fd = os.open(path, os.O_RDONLY)
    read = FileReader(in_thread).read
    results: list[bytes] = []
    read(fd, 10, 5).addCallback(results.append)

    def refuse(*_: object) -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "preadv", refuse)
    read(fd, 10, 5).addCallback(results.append)
    assert results == [bytes(range(5, 15))] * 2
    assert threads == [(fd, 10, 5)]
    os.close(fd)


def test_the_end_of_a_file_is_the_threads(tmp_path: Path) -> None:
    """A read that reaches beyond it has nothing cached at its last byte."""
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    fd = os.open(path, os.O_RDONLY)
    results: list[bytes] = []
    reader = FileReader(lambda *what: succeed(os.pread(*what)))
    reader.read(fd, 10, 0).addCallback(results.append)
    assert results == [b"abc"]
    os.close(fd)
