"""Files that are still being fetched."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from hubmirror.errors import UpstreamFailure
from hubmirror.question import GrowingSlice, IGrowingFile
from hubmirror.transport.growing import send_growing
from hubmirror.transport.reading import FileReader
from tests.transport.consumer import Consumer, note_type

DATA = os.urandom(1000)


def read(fd: int, size: int, offset: int) -> Deferred[bytes]:
    return succeed(os.pread(fd, size, offset))


@implementer(IGrowingFile)
class Growing:
    """A file of which the first ``there`` bytes may be read."""

    def __init__(self, folder: Path) -> None:
        path = folder / "file"
        path.write_bytes(DATA)
        self.fd = os.open(path, os.O_RDONLY)
        self.size = len(DATA)
        self.there = 0
        self.is_closed = False
        self.waiting: list[Deferred[None]] = []

    def available(self, offset: int) -> int:
        return max(0, self.there - offset)

    def wait(self, offset: int) -> Deferred[None]:
        waiter: Deferred[None] = Deferred()
        self.waiting.append(waiter)
        return waiter

    def grow(self, there: int) -> None:
        self.there = there
        waiting, self.waiting = self.waiting, []
        for waiter in waiting:
            waiter.callback(None)

    def close(self) -> None:
        self.is_closed = True


def test_sends_what_comes(tmp_path: Path) -> None:
    """Each byte leaves as soon as it may."""
    growing, consumer = Growing(tmp_path), Consumer()
    done: list[None] = []
    send_growing(GrowingSlice(growing, 10, 500), consumer, FileReader(read)).addCallback(
        done.append
    )
    assert consumer.received == b""
    growing.grow(100)
    assert consumer.received == DATA[10:100]
    assert done == []
    growing.grow(1000)
    assert consumer.received == DATA[10:510]
    assert done == [None]
    assert growing.is_closed
    assert consumer.producer is None


def test_fails_with_its_source(tmp_path: Path) -> None:
    """A wrong digest, or an upstream that never comes back."""
    growing = Growing(tmp_path)
    failures: list[type] = []
    sending = send_growing(GrowingSlice(growing, 0, 1000), Consumer(), FileReader(read))
    sending.addErrback(note_type, failures)
    growing.waiting[0].errback(UpstreamFailure())
    assert failures == [UpstreamFailure]
    assert growing.is_closed


def test_a_reader_that_leaves_says_so(tmp_path: Path) -> None:
    """The fetch must know who still wants it."""
    growing, consumer = Growing(tmp_path), Consumer()
    sending = send_growing(GrowingSlice(growing, 0, 1000), consumer, FileReader(read))
    sending.addErrback(lambda _: None)
    consumer.producer.stopProducing()
    assert growing.is_closed
