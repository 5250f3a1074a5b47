"""Rotten bytes are found and dropped: slowly by themselves, at once when asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.task import Clock

from hubmirror.cache.errors import StoreFailed
from hubmirror.cache.scrub import Checked, Scrubber
from hubmirror.naming import Digest
from tests.cache.kept import BUSYBOX, Kept
from tests.cache.memory import MemoryBlobStore, MemoryIndex, digest_of
from tests.upstream.remote import error_of, result_of

_WEEK = 7 * 24 * 3600.0
_PART = _WEEK / 256


class _Blobs(MemoryBlobStore):
    """A store that tells when what was verified, and fails for some."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.verified: list[tuple[Digest, float]] = []
        self.failing: set[Digest] = set()

    def verify(self, digest: Digest) -> Deferred[bool]:
        self.verified.append((digest, self._clock.seconds()))
        if digest in self.failing:
            return fail(StoreFailed("the disk failed"))
        return super().verify(digest)


@define
class _Scrubbing:
    """A scrubber, and what it looks after."""

    begins_at: float = 0.0
    clock: Clock = field(factory=Clock)
    blobs: _Blobs = field(init=False)
    index: MemoryIndex = field(factory=MemoryIndex)
    scrubber: Scrubber = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.blobs = _Blobs(self.clock)
        self.scrubber = Scrubber(self.index, self.blobs, self.clock, random=lambda: self.begins_at)

    def keep(self, data: bytes) -> Digest:
        return result_of(Kept(self.index, self.blobs).blob(data, 0))

    def run(self, parts: float) -> Deferred[Any]:
        """Scrub so many of the 256 parts of a week."""
        running = Deferred.fromCoroutine(self.scrubber.run())
        self.go_on(parts)
        return running

    def go_on(self, parts: float) -> None:
        self.clock.pump([_PART / 16] * int(parts * 16))


@pytest.fixture
def scrubbing() -> _Scrubbing:
    return _Scrubbing()


def _stop(running: Deferred[Any]) -> None:
    running.cancel()
    error_of(running, CancelledError)


def _in_part(prefix: str, count: int, size: int = 0) -> Iterator[bytes]:
    """Blobs of ``size`` bytes or a few whose digests begin with ``prefix``."""
    number = 0
    while count:
        data = str(number).encode().ljust(size)
        number += 1
        if digest_of(data).encoded.startswith(prefix):
            count -= 1
            yield data


def test_all_in_a_week(scrubbing: _Scrubbing) -> None:
    """Each blob has its turn once a week, and again in the next."""
    kept = {scrubbing.keep(str(number).encode()) for number in range(600)}
    running = scrubbing.run(255.5)
    assert {digest for digest, _ in scrubbing.blobs.verified} == kept
    assert len(scrubbing.blobs.verified) == scrubbing.scrubber.checked == 600
    scrubbing.go_on(256)
    assert len(scrubbing.blobs.verified) == 1200
    assert scrubbing.scrubber.rotten == 0
    _stop(running)


def test_it_begins_somewhere(scrubbing: _Scrubbing) -> None:
    """A daemon that is often restarted gets to all blobs nevertheless."""
    scrubbing.begins_at = 0x80 / 256
    [early] = map(scrubbing.keep, _in_part("00", 1))
    [late] = map(scrubbing.keep, _in_part("80", 1))
    running = scrubbing.run(1)
    assert [digest for digest, _ in scrubbing.blobs.verified] == [late]
    scrubbing.go_on(128)
    assert [digest for digest, _ in scrubbing.blobs.verified] == [late, early]
    _stop(running)


def test_the_pace(scrubbing: _Scrubbing) -> None:
    """After a blob comes a pause as long as its share of the bytes asks for."""
    small, large = 64 * 1024, 320 * 1024
    for data in (*_in_part("00", 1, small), *_in_part("00", 1, large)):
        scrubbing.keep(data)
    running = scrubbing.run(1)
    first, second = scrubbing.blobs.verified
    size = len(scrubbing.blobs.content[first[0]])
    share = (size + 64 * 1024) / (small + large + 2 * 64 * 1024)
    assert first[1] == 0
    assert share * _PART <= second[1] <= share * _PART + _PART / 16
    _stop(running)


def test_rot_is_dropped(scrubbing: _Scrubbing) -> None:
    """A rotten blob goes, with its row and links, so that it is fetched anew; others stay."""
    rotten, right = map(scrubbing.keep, _in_part("00", 2))
    scrubbing.blobs.content[rotten] = b"rotten"
    running = scrubbing.run(1)
    assert {*scrubbing.blobs.content} == {right}
    assert result_of(_of(scrubbing.index.blob(rotten))) is None
    assert result_of(_of(scrubbing.index.linked_from(rotten))) == ()
    assert result_of(_of(scrubbing.index.linked_from(right))) == (BUSYBOX,)
    assert (scrubbing.scrubber.checked, scrubbing.scrubber.rotten) == (2, 1)
    _stop(running)


def test_stopped_in_between(scrubbing: _Scrubbing) -> None:
    """Stopped while it drops a rotten blob, the scrub leaves no file without a row."""
    [rotten] = map(scrubbing.keep, _in_part("00", 1))
    scrubbing.blobs.content[rotten] = b"rotten"
    drop, wait = scrubbing.index.drop_blob, Deferred[None]()

    def dropped(digest: Digest) -> Deferred[None]:
        return wait.addCallback(lambda _: drop(digest))

    scrubbing.index.drop_blob = dropped  # type: ignore[method-assign]
    _stop(scrubbing.run(0))
    wait.callback(None)
    assert scrubbing.blobs.content == {}
    assert result_of(_of(scrubbing.index.blob(rotten))) is None


def test_what_was_evicted_meanwhile(scrubbing: _Scrubbing) -> None:
    """A blob that went between its being listed and its turn had not rotted."""
    for data in _in_part("00", 2):
        scrubbing.keep(data)
    running = Deferred.fromCoroutine(scrubbing.scrubber.run())
    [(first, _)] = scrubbing.blobs.verified
    [gone] = {*scrubbing.blobs.content} - {first}
    scrubbing.index.drop_blob(gone)
    scrubbing.blobs.remove(gone)
    scrubbing.clock.advance(_PART)
    assert len(scrubbing.blobs.verified) == 2
    assert scrubbing.scrubber.rotten == 0
    _stop(running)


def test_a_disk_that_fails(scrubbing: _Scrubbing) -> None:
    """One blob that can't be verified, or a listing that fails, does not end the scrub."""
    digests = [*map(scrubbing.keep, _in_part("00", 2)), *map(scrubbing.keep, _in_part("01", 1))]
    scrubbing.blobs.failing = {*digests}
    running = scrubbing.run(2)
    assert len(scrubbing.blobs.verified) == 3
    assert {*scrubbing.blobs.content} == {*digests}
    _stop(running)


def test_a_listing_that_fails() -> None:
    """When the blobs can't be listed now, they are in the next part of the week."""
    scrubbing = _Scrubbing()
    scrubbing.keep(next(_in_part("01", 1)))
    listing = scrubbing.blobs.all
    failures = [StoreFailed("the disk failed")]

    def once() -> Any:
        if failures:
            raise failures.pop()
        return listing()

    scrubbing.blobs.all = once  # type: ignore[method-assign]
    running = scrubbing.run(2)
    assert len(scrubbing.blobs.verified) == 1
    _stop(running)


def test_with_nothing_kept(scrubbing: _Scrubbing) -> None:
    """An empty store is looked into now and then, and not in a busy loop."""
    running = scrubbing.run(3)
    assert len(scrubbing.clock.getDelayedCalls()) == 1
    _stop(running)
    assert scrubbing.clock.getDelayedCalls() == []


def test_all_at_once(scrubbing: _Scrubbing) -> None:
    """Asked for, everything is verified without a pause, and told blob by blob."""
    digests = [scrubbing.keep(str(number).encode() * 3) for number in range(5)]
    scrubbing.blobs.content[digests[3]] = b"rotten"
    seen: list[Checked] = []
    assert result_of(scrubbing.scrubber.verify_all(seen.append)) == (digests[3],)
    assert {(checked.digest, checked.size, checked.is_right) for checked in seen} == {
        *((digest, 3, True) for digest in digests if digest != digests[3]),
        (digests[3], 6, False),
    }
    assert digests[3] not in scrubbing.blobs.content


def test_all_at_once_on_a_failing_disk(scrubbing: _Scrubbing) -> None:
    """Who asks is told that the disk failed, not that all is well."""
    scrubbing.blobs.failing = {scrubbing.keep(b"x")}
    with pytest.raises(StoreFailed):
        result_of(scrubbing.scrubber.verify_all(lambda _: None))


async def _of(deferred: Deferred[Any]) -> Any:
    return await deferred
