"""Parts of files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from twisted.internet.defer import CancelledError, Deferred, succeed

from hubmirror.errors import UpstreamFailure
from hubmirror.question import FileSlice
from hubmirror.transport.files import CHUNK, send_file
from hubmirror.transport.reading import FileReader
from tests.transport.consumer import Consumer, note_type

DATA = os.urandom(3 * CHUNK)


def read(fd: int, size: int, offset: int) -> Deferred[bytes]:
    return succeed(os.pread(fd, size, offset))


def opened(folder: Path, start: int, length: int) -> FileSlice:
    path = folder / "file"
    path.write_bytes(DATA)
    return FileSlice(os.open(path, os.O_RDONLY), start, length)


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("start", "length"), [(0, len(DATA)), (5, 10), (CHUNK - 1, CHUNK + 2), (7, 0)]
)
def test_sends_exactly_the_part(tmp_path: Path, start: int, length: int) -> None:
    """Whole files and ranges; the file is closed at the end."""
    part = opened(tmp_path, start, length)
    consumer = Consumer()
    done: list[None] = []
    send_file(part, consumer, FileReader(read)).addCallback(done.append)
    assert done == [None]
    assert consumer.received == DATA[start : start + length]
    assert consumer.producer is None
    assert not is_open(part.fd)


def test_waits_for_a_slow_consumer(tmp_path: Path) -> None:
    """Nothing is read ahead of what is wanted."""
    part = opened(tmp_path, 0, len(DATA))
    consumer = Consumer(limit=1)
    done: list[None] = []
    send_file(part, consumer, FileReader(read)).addCallback(done.append)
    assert len(consumer.received) == CHUNK
    consumer.limit = None
    consumer.producer.resumeProducing()
    assert done == [None]
    assert consumer.received == DATA


def test_ends_with_its_consumer(tmp_path: Path) -> None:
    """A client that goes away gives the file back."""
    part = opened(tmp_path, 0, len(DATA))
    consumer = Consumer(limit=1)
    failures: list[type] = []
    sending = send_file(part, consumer, FileReader(read))
    sending.addErrback(note_type, failures)
    consumer.producer.stopProducing()
    assert failures == [CancelledError]
    assert not is_open(part.fd)


def test_a_file_that_has_shrunk_is_told(tmp_path: Path) -> None:
    """A body that looks whole and is not must never be."""
    part = opened(tmp_path, 0, len(DATA) + 1)
    failures: list[type] = []
    sending = send_file(part, Consumer(), FileReader(read))
    sending.addErrback(note_type, failures)
    assert failures == [UpstreamFailure]
    assert not is_open(part.fd)
