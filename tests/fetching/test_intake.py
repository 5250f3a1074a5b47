"""What comes in is written once, and hashed and saved on its way."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from zope.interface import implementer

from hubmirror.cache.errors import StoreFailed
from hubmirror.cache.interfaces import IPartial
from hubmirror.cache.pieces import Pieces
from hubmirror.fetching.intake import Intake
from hubmirror.fetching.limits import FetchLimits
from tests.fetching.inline import InlinePool, open_stores
from tests.fetching.scene import sha256

_LIMITS = FetchLimits(hash_every=10, save_every=30, save_seconds=5)


@implementer(IPartial)
class Partial:
    """In memory; ``done`` lists what was asked of its threads, which wait for ``go``."""

    digest = sha256(b"")
    size = 100
    validator = None

    def __init__(self) -> None:
        self.pieces = Pieces(self.size)
        self.done: list[str] = []
        self.go: Deferred[None] | None = None
        self.error: Exception | None = None

    def missing(self, start: int, end: int) -> list[tuple[int, int]]:
        return self.pieces.missing(start, end)

    def available(self, start: int) -> int:
        return self.pieces.available(start)

    def write(self, offset: int, data: bytes) -> None:
        self.done.append(f"write {offset} {data.decode()}")
        self.pieces.add(offset, offset + len(data))

    def fileno(self) -> int:
        return -1

    def digest_of_prefix(self) -> Deferred[int]:
        self.done.append("hash")
        if self.error is not None:
            return fail(self.error)
        self.go = Deferred()
        return self.go.addCallback(lambda _: self.available(0))

    def save(self) -> Deferred[None]:
        self.done.append("save")
        return succeed(None)

    def commit(self) -> Deferred[bool]:
        return succeed(True)

    def discard(self) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def partial() -> Partial:
    return Partial()


def _let_go(partial: Partial) -> None:
    go, partial.go = partial.go, None
    assert go is not None
    go.callback(None)


def test_only_what_is_missing(partial: Partial, clock: Clock) -> None:
    """Bytes that are there already are not written again, and count once."""
    intake = Intake(partial, clock, _LIMITS)
    intake.keep(2, b"cd")
    intake.keep(0, b"abcdef")
    assert partial.done == ["write 2 cd", "write 0 ab", "write 4 ef"]
    assert (intake.have, intake.is_whole, intake.missing_in((0, 100))) == (6, False, 94)


def test_it_is_hashed_now_and_then(partial: Partial, clock: Clock) -> None:
    """Not at each chunk, and never twice at the same time."""
    intake = Intake(partial, clock, _LIMITS)
    for start in range(0, 28, 4):
        intake.keep(start, b"abcd")
    assert partial.done.count("hash") == 1
    _let_go(partial)
    intake.keep(28, b"a")
    assert partial.done.count("hash") == 2
    _let_go(partial)
    assert "save" not in partial.done


def test_it_is_saved_now_and_then(partial: Partial, clock: Clock) -> None:
    """After so many bytes, or when some came and it was long ago."""
    intake = Intake(partial, clock, _LIMITS)
    intake.keep(0, b"a" * 30)
    _let_go(partial)
    assert partial.done.count("save") == 1
    clock.advance(4)
    intake.keep(30, b"a")
    assert partial.go is None
    clock.advance(1)
    intake.keep(31, b"a")
    _let_go(partial)
    assert partial.done.count("save") == 2
    assert clock.getDelayedCalls() == []


def test_settle_waits_for_the_threads(partial: Partial, clock: Clock) -> None:
    """For as long as one works, and not at all where none does."""
    intake = Intake(partial, clock, _LIMITS)
    assert Deferred.fromCoroutine(intake.settle()).called
    intake.keep(0, b"a" * 10)
    settled = Deferred.fromCoroutine(intake.settle())
    assert not settled.called
    _let_go(partial)
    assert settled.called


def test_a_thread_that_fails(partial: Partial, clock: Clock) -> None:
    """The next write raises what it failed with."""
    intake = Intake(partial, clock, _LIMITS)
    partial.error = StoreFailed("rotten")
    intake.keep(0, b"a" * 10)
    assert intake.failure is partial.error
    with pytest.raises(StoreFailed, match="rotten"):
        intake.keep(10, b"a")


def test_what_an_earlier_fetch_left(tmp_path: Path, clock: Clock) -> None:
    """It is there from the beginning."""
    store, _ = open_stores(tmp_path, InlinePool())
    opened: list[IPartial] = []
    store.open(sha256(b"abcdef"), 6, None).addCallback(opened.append)
    Intake(opened[0], clock, _LIMITS).keep(0, b"abc")
    opened[0].close()
    store.open(sha256(b"abcdef"), 6, None).addCallback(opened.append)
    assert Intake(opened[1], clock, _LIMITS).have == 3
    opened[1].close()
