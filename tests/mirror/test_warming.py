"""Images that are kept fresh by themselves."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs

from hubmirror.cache.image_names import ImageName, ImageNames
from hubmirror.cache.reports import Pulled
from hubmirror.control.operations import Reports
from hubmirror.mirror.pulling import Puller, PullFailed
from hubmirror.mirror.warming import Warming
from tests.conftest import LoggedFailures

NAMES = ImageNames("docker.io", library_prefix=True)
IMAGES = [NAMES.parse("a:1"), NAMES.parse("b:1")]


class FakePuller:
    """Notes what it pulls; fails for the images in ``failing``; waits for ``gate``."""

    def __init__(self) -> None:
        self.pulled: list[str] = []
        self.failing: dict[str, Exception] = {}
        self.gate: Deferred[None] = succeed(None)

    async def pull(
        self, image: ImageName, platforms: Collection[str], *, is_checked: bool = False
    ) -> Reports:
        """As ``Puller.pull``."""
        assert list(platforms) == ["linux/amd64"]
        assert is_checked
        self.pulled.append(image.repository.name)
        await self.gate
        if image.repository.name in self.failing:
            raise self.failing[image.repository.name]
        yield Pulled(str(image), "sha256:1", (), 1, 1)


@pytest.fixture
def puller() -> FakePuller:
    """One."""
    return FakePuller()


@pytest.fixture
def clock() -> Clock:
    """One."""
    return Clock()


def warming(puller: FakePuller, clock: Clock, images: list[ImageName] = IMAGES) -> Warming:
    """Of both images, every hour."""
    return Warming(cast(Puller, puller), images, ["linux/amd64"], 3600.0, clock)


def test_rounds(puller: FakePuller, clock: Clock) -> None:
    """At once, and then once a period."""
    warm = warming(puller, clock)
    warm.start()
    assert puller.pulled == ["library/a", "library/b"]

    clock.advance(3599)
    assert len(puller.pulled) == 2
    clock.advance(1)
    assert len(puller.pulled) == 4

    warm.stop()
    clock.advance(3600)
    assert len(puller.pulled) == 4
    assert clock.getDelayedCalls() == []


def test_one_at_a_time(puller: FakePuller, clock: Clock) -> None:
    """The second image waits for the first, and the next round for this one."""
    gate = puller.gate = Deferred()
    warm = warming(puller, clock)
    warm.start()
    clock.advance(10_000)
    assert puller.pulled == ["library/a"]

    puller.gate = succeed(None)
    gate.callback(None)
    assert puller.pulled == ["library/a", "library/b"]
    warm.stop()


def test_stopped_in_a_round(puller: FakePuller, clock: Clock) -> None:
    """What is under way ends, and nothing comes after it."""
    cancelled: list[Any] = []
    puller.gate = Deferred(cancelled.append)
    warm = warming(puller, clock)
    warm.start()

    warm.stop()

    assert len(cancelled) == 1
    assert puller.pulled == ["library/a"]
    assert clock.getDelayedCalls() == []


def test_a_failure_is_told_once(puller: FakePuller, clock: Clock) -> None:
    """It keeps no other image from its turn; its end is told, too."""
    with capturedLogs() as events:
        puller.failing = {"library/a": PullFailed("the answer was 503")}
        warm = warming(puller, clock)
        warm.start()
        clock.advance(3600)
        assert puller.pulled == ["library/a", "library/b"] * 2
        puller.failing = {}
        clock.advance(3600)
        clock.advance(3600)
        warm.stop()

    told = [
        (event["log_level"], event["image"], event.get("why"))
        for event in events
        if event.get("log_namespace", "").endswith("Warming")
    ]
    image = "docker.io/library/a:1"
    assert told == [(LogLevel.warn, image, "the answer was 503"), (LogLevel.info, image, None)]


def test_a_defect_does_not_end_it(
    puller: FakePuller, clock: Clock, logged_failures: LoggedFailures
) -> None:
    """It is logged as such, and the next round comes."""
    puller.failing = {"library/a": ZeroDivisionError()}
    warm = warming(puller, clock)
    warm.start()
    clock.advance(3600)
    warm.stop()

    assert len(puller.pulled) == 4
    assert len(logged_failures.take(ZeroDivisionError)) == 2


def test_nothing_to_do(puller: FakePuller, clock: Clock) -> None:
    """Without images there is no timer."""
    warm = warming(puller, clock, [])
    warm.start()
    warm.stop()

    assert clock.getDelayedCalls() == []
