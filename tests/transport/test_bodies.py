"""Bodies of every kind."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer
from zope.interface import implementer

from hubmirror.question import Body, FileSlice, GrowingSlice, IStream
from hubmirror.transport.bodies import Bodies
from tests.transport.consumer import Consumer
from tests.transport.test_growing import DATA, Growing

BODIES = Bodies(lambda fd, size, offset: succeed(os.pread(fd, size, offset)))


@implementer(IStream)
class Stream:
    """A stream of three bytes."""

    length: int | None = 3
    is_discarded = False

    def send_to(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(b"abc")
        return succeed(None)

    def discard(self) -> None:
        self.is_discarded = True


def file_slice(folder: Path) -> FileSlice:
    path = folder / "slice"
    path.write_bytes(b"xabcx")
    return FileSlice(os.open(path, os.O_RDONLY), 1, 3)


def all_kinds(folder: Path) -> list[Body]:
    growing = Growing(folder)
    growing.grow(3)
    return [b"abc", Stream(), GrowingSlice(growing, 0, 3), file_slice(folder)]


def test_each_kind_has_its_length_and_its_bytes(tmp_path: Path) -> None:
    """Whatever it is made of."""
    for body in all_kinds(tmp_path):
        assert BODIES.length(body) == 3
        consumer = Consumer()
        done: list[None] = []
        BODIES.send(body, consumer).addCallback(done.append)
        assert done == [None]
        assert consumer.received in (b"abc", DATA[:3])


def test_each_kind_gives_back_what_it_holds(tmp_path: Path) -> None:
    """A body that is not wanted leaves nothing open."""
    data, stream, growing, part = all_kinds(tmp_path)
    for body in (data, stream, growing, part):
        BODIES.discard(body)
    assert isinstance(stream, Stream)
    assert stream.is_discarded
    assert isinstance(growing, GrowingSlice)
    assert isinstance(growing.source, Growing)
    assert growing.source.is_closed
    assert isinstance(part, FileSlice)
    try:
        os.fstat(part.fd)
    except OSError:
        return
    raise AssertionError("the file is still open")
