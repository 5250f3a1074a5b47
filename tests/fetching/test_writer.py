"""The bytes of one answer find their places, and no more of them than were wanted."""

from __future__ import annotations

from collections.abc import Coroutine

import pytest
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IConsumer
from zope.interface import implementer

from hubmirror.errors import UpstreamFailure
from hubmirror.fetching.writer import write_part
from hubmirror.question import IStream
from hubmirror.upstream.blobs import BlobPart
from tests.upstream.remote import result_of


@implementer(IStream)
class Body:
    """Sends ``chunks`` at once; ``is_stopped`` tells whether its consumer had enough."""

    length = None

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = chunks
        self.is_stopped = False

    def send_to(self, consumer: IConsumer) -> Deferred[None]:
        consumer.registerProducer(self, True)  # type: ignore[arg-type]
        for chunk in self.chunks:
            consumer.write(chunk)
        consumer.unregisterProducer()
        ended: Deferred[None] = Deferred()
        if self.is_stopped:
            ended.errback(CancelledError())
            return ended
        return succeed(None)

    def discard(self) -> None:
        """Nothing is held."""

    def stopProducing(self) -> None:
        self.is_stopped = True


def _write(body: Body, end: int, kept: dict[int, bytes]) -> Coroutine[Deferred[None], None, None]:
    part = BlobPart(100, end, 1000, None, True, body)
    return write_part(part, end, kept.__setitem__)


def test_each_chunk_has_its_place() -> None:
    """Counted from where the part begins."""
    kept: dict[int, bytes] = {}
    result_of(_write(Body(b"abc", b"de"), 105, kept))
    assert kept == {100: b"abc", 103: b"de"}


def test_too_few() -> None:
    """An answer that ends before its time has failed, however politely."""
    with pytest.raises(UpstreamFailure):
        result_of(_write(Body(b"abc"), 105, {}))


def test_too_many() -> None:
    """What nobody asked for is not written, and ends the answer."""
    kept: dict[int, bytes] = {}
    body = Body(b"abc", b"defg", b"hi")
    result_of(_write(body, 105, kept))
    assert kept == {100: b"abc", 103: b"de"}
    assert body.is_stopped


def test_bytes_that_cannot_be_kept() -> None:
    """The first error ends the answer and is raised."""

    def keep(_offset: int, _data: bytes) -> None:
        raise OSError("full")

    body = Body(b"abc", b"de")
    part = BlobPart(0, 5, 5, None, True, body)
    with pytest.raises(OSError, match="full"):
        result_of(write_part(part, 5, keep))
    assert body.is_stopped
