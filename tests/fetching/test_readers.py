"""A reader's view of a fetch: what may be read, a wait at a time, and a clean farewell."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, cast

import pytest
from twisted.internet.defer import CancelledError

from hubmirror.errors import UpstreamFailure
from hubmirror.fetching.failures import StoreLost
from hubmirror.fetching.overflow import Overflow
from hubmirror.fetching.plan import Span
from hubmirror.fetching.readers import Reader
from hubmirror.upstream.blobs import IRemoteBlob
from tests.upstream.remote import error_of


class Source:
    """A fetch that has its first ``have`` bytes."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.have = 0
        self.hurried = 0
        self.left: list[Reader] = []

    def available(self, offset: int) -> int:
        return max(0, self.have - offset)

    def hurry(self) -> None:
        self.hurried += 1

    def past_the_store(self, remote: IRemoteBlob, span: Span) -> Overflow:
        raise OSError("no file in memory")

    def leave(self, reader: Reader) -> None:
        self.left.append(reader)


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def reader(source: Source) -> Iterator[Reader]:
    made = Reader(source, cast(Any, None), os.dup(0), 100, (10, 50))
    yield made
    made.close()


def test_what_it_wants(reader: Reader) -> None:
    """From where it was seen last to where it said; more where it waits for more."""
    assert reader.wants == (10, 50)
    reader.available(20)
    assert reader.wants == (20, 50)
    reader.available(70)
    assert reader.wants == (70, 71)
    reader.available(100)
    assert reader.wants == (100, 100)


def test_a_wait(reader: Reader, source: Source) -> None:
    """It tells the fetch, and ends when there is something to read, not sooner."""
    waiting = reader.wait(10)
    source.have = 10
    reader.wake()
    assert (waiting.called, source.hurried) == (False, 1)
    source.have = 11
    reader.wake()
    reader.wake()
    assert waiting.called
    assert reader.wait(10).called


def test_a_failure(reader: Reader, source: Source) -> None:
    """It ends the wait under way, and those that follow."""
    waiting = reader.wait(10)
    source.failure = UpstreamFailure("gone")
    reader.wake()
    assert error_of(waiting, UpstreamFailure) is source.failure
    assert error_of(reader.wait(10), UpstreamFailure) is source.failure


def test_nothing_but_the_disk(reader: Reader, source: Source) -> None:
    """Where there is no way past the disk, that is the failure."""
    source.failure = StoreLost()
    error_of(reader.wait(10), StoreLost)


def test_farewell(reader: Reader, source: Source) -> None:
    """It closes its file, ends its wait, tells the fetch once, and waits no more."""
    waiting = reader.wait(10)
    reader.close()
    reader.close()
    error_of(waiting, CancelledError)
    error_of(reader.wait(10), CancelledError)
    assert source.left == [reader]
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(reader.fd)


def test_a_wait_that_is_given_up(reader: Reader, source: Source) -> None:
    """Cancelling a wait leaves the reader as it was."""
    waiting = reader.wait(10)
    waiting.cancel()
    error_of(waiting, CancelledError)
    source.have = 20
    reader.wake()
    assert reader.available(10) == 10
