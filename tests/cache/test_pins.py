"""What pins keep, and what they are against."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from hubmirror.cache.pins import Pins
from hubmirror.naming import Digest, Repository
from tests.cache.collecting import result_of
from tests.cache.memory import MemoryIndex

BUSYBOX = Repository("docker.io", "library/busybox")
OTHER = Repository("docker.io", "library/other")
DIGEST = Digest("sha256", "ab" * 32)


def test_read() -> None:
    """They come from the index."""
    index = MemoryIndex()
    index.pin(BUSYBOX, "1", True)

    assert result_of(Deferred.fromCoroutine(Pins.read(index))).all == {(BUSYBOX, "1")}


@pytest.mark.parametrize(
    ("reference", "holds"), [("*", True), ("1", True), (str(DIGEST), True), ("2", False)]
)
def test_holding(reference: str, holds: bool) -> None:
    """By repository, tag or digest."""
    pins = Pins(frozenset({(BUSYBOX, reference)}))

    assert pins.holds(BUSYBOX, "1", DIGEST) is holds
    assert not pins.holds(OTHER, "1", DIGEST)


@pytest.mark.parametrize(
    ("pinned", "removed", "forbids"),
    [("1", "1", True), ("1", "2", False), ("*", "2", True), ("1", "*", True)],
)
def test_forbidding(pinned: str, removed: str, forbids: bool) -> None:
    """A pinned tag forbids to remove it or its repository; a pinned repository all of it."""
    assert Pins(frozenset({(BUSYBOX, pinned)})).forbid(BUSYBOX, removed) is forbids
