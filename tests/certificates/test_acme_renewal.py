"""A certificate is got, renewed in time, and got later where that fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from cryptography import x509
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from zope.interface import provider

from hubmirror.certificates.acme_failures import AcmeFailed
from hubmirror.certificates.acme_renewal import Renewal
from hubmirror.certificates.acme_store import AcmeStore
from hubmirror.certificates.acme_times import Suggestion
from hubmirror.certificates.files import CertificateError, KeyPair
from tests.certificates.making import NOW, make
from tests.conftest import LoggedFailures

NAME = "hub.example.net"
DAY = 86400.0
LIFE = timedelta(days=90)


class Scene:
    """Time that a test moves, a server that does what it says, and a renewal between them."""

    def __init__(self, folder: Path, names: Sequence[str] = (NAME,)) -> None:
        self.clock = Clock()
        self.store = AcmeStore(folder, "https://acme.example/dir")
        self.obtained: list[float] = []
        self.asked: list[float] = []
        self.installed: list[float] = []
        self.fails: Exception | None = None
        self.suggested: timedelta | None = None
        self.issued = lambda: make(NAME, begins=self.now(), ends=self.now() + LIFE)
        self.stopping = Event()
        self.lines: list[str] = []
        self.run: Callable[[Callable[[], Any]], Deferred[Any]] = execute
        self.renewal = Renewal(
            names,
            self.store,
            self,
            run=lambda work: self.run(work),
            installed=lambda: self.installed.append(self.clock.seconds()),
            clock=self.clock,
            now=self.now,
            chance=lambda: 0.5,
            stopping=self.stopping,
        )

    def now(self) -> datetime:
        """The time of day."""
        return NOW + timedelta(seconds=self.clock.seconds())

    def obtain(self, names: Sequence[str]) -> KeyPair:
        """What the server does, and what ``AcmeClient`` makes of it."""
        self.obtained.append(self.clock.seconds())
        if self.fails is not None:
            raise self.fails
        made = self.issued()
        return self.store.keep_pair(made.pem, made.key)

    def suggestion(self, leaf: x509.Certificate) -> Suggestion:
        """The same of when to renew."""
        self.asked.append(self.clock.seconds())
        at = None if self.suggested is None else leaf.not_valid_before_utc + self.suggested
        return Suggestion(at, self.now() + timedelta(hours=6))

    def days(self, days: float, step: float = 3600) -> None:
        """Let so many go by, in steps of so many seconds."""
        for _ in range(round(days * DAY / step)):
            self.clock.advance(step)


@pytest.fixture
def scene(tmp_path: Path) -> Any:
    """What is logged is heard; nothing is left on the clock."""
    made = Scene(tmp_path)

    @provider(ILogObserver)
    def observer(event: LogEvent) -> None:
        made.lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observer)
    yield made
    globalLogPublisher.removeObserver(observer)
    made.renewal.stop()
    assert made.clock.getDelayedCalls() == []


def test_gets_one_at_once_and_renews_it_at_two_thirds(scene: Scene) -> None:
    """And tells the listeners each time."""
    scene.renewal.start()
    assert scene.obtained == scene.installed == [0]
    assert f"a certificate for {NAME} has been issued: from CN={NAME}, good until" in scene.lines[0]
    scene.days(59.5)
    assert scene.obtained == [0]
    scene.days(1)
    assert scene.obtained == scene.installed == [0, pytest.approx(60 * DAY, abs=3600)]
    assert "has been renewed" in scene.lines[-1]


def test_one_that_is_kept_is_used(scene: Scene) -> None:
    """A restart asks for none."""
    made = make(NAME, begins=NOW - LIFE / 2, ends=NOW + LIFE / 2)
    scene.store.keep_pair(made.pem, made.key)
    scene.renewal.start()
    assert scene.obtained == []
    scene.days(14.5)
    assert scene.obtained == []
    scene.days(1)
    assert len(scene.obtained) == 1


def test_another_is_got_for_other_names(tmp_path: Path) -> None:
    """The one that is kept lacks one."""
    scene = Scene(tmp_path, (NAME, "other.example.net"))
    made = make(NAME, begins=NOW, ends=NOW + LIFE)
    scene.store.keep_pair(made.pem, made.key)
    scene.renewal.start()
    scene.renewal.stop()
    assert scene.obtained == [0]


def test_a_damaged_one_is_got_anew(scene: Scene) -> None:
    """It says why."""
    made = make(NAME)
    scene.store.keep_pair(made.pem, made.key)
    scene.store.certificate_file.write_text("damaged")
    scene.renewal.start()
    assert scene.obtained == [0]
    assert "another certificate will be got" in scene.lines[0]
    assert scene.store.pair() is not None


def test_the_server_says_when(scene: Scene) -> None:
    """It is asked every six hours, as it wants; a suggestion of the past means now."""
    scene.suggested = timedelta(days=20)
    scene.renewal.start()
    scene.days(1)
    assert len(scene.asked) == 4
    scene.days(18.5)
    assert len(scene.obtained) == 1
    scene.days(1)
    assert len(scene.obtained) == 2
    scene.suggested = timedelta(days=-1)  # as before it is revoked
    scene.days(0.3)
    assert len(scene.obtained) >= 3


def test_a_server_that_says_nothing_is_asked_no_more_often(scene: Scene) -> None:
    """Two thirds of its life it is then."""

    def broken(_leaf: object) -> Suggestion:
        scene.asked.append(scene.clock.seconds())
        raise AcmeFailed("it is away")

    scene.suggestion = broken  # type: ignore[method-assign,assignment]
    scene.renewal.start()
    scene.days(1)
    assert len(scene.asked) == 4
    assert len(scene.obtained) == 1


def test_fails_less_and_less_often(scene: Scene) -> None:
    """The old certificate stays, and each line says why and when again."""
    made = make(NAME, begins=NOW - LIFE, ends=NOW + timedelta(days=30))
    scene.store.keep_pair(made.pem, made.key)
    scene.fails = AcmeFailed("no connection")
    scene.renewal.start()
    scene.days(1, step=60)
    assert scene.obtained[:5] == [0, 60, 360, 1260, 3060]
    assert len(scene.obtained) < 11
    assert scene.installed == []
    line = scene.lines[0]
    assert line.startswith(f"no new certificate for {NAME}: no connection; tried again at ")
    assert f"; the one in force is good until {(NOW + timedelta(days=30)).isoformat()}" in line
    scene.fails = None
    scene.days(0.3)
    assert len(scene.installed) == 1
    scene.fails = AcmeFailed("again")
    scene.days(60)
    assert scene.obtained[-1] > scene.installed[0] + 59 * DAY


def test_a_server_is_left_alone_as_it_wants(scene: Scene) -> None:
    """Its Retry-After counts."""
    scene.fails = AcmeFailed("rate limit", retry_after=7200)
    scene.renewal.start()
    scene.clock.pump([60] * 119)
    assert scene.obtained == [0]
    scene.clock.advance(60)
    assert scene.obtained == [0, 7200]
    assert "there is none meanwhile" in scene.lines[0]


def test_a_full_disk_is_a_failure_as_any(scene: Scene) -> None:
    """And an end that is over is told."""
    made = make(NAME, begins=NOW - LIFE, ends=NOW - timedelta(days=1))
    scene.store.keep_pair(made.pem, made.key)
    scene.fails = CertificateError("can't be written")
    scene.renewal.start()
    assert "the one in force has ended at" in scene.lines[0]
    scene.fails = None
    scene.clock.advance(60)
    assert len(scene.installed) == 1


def test_a_certificate_that_is_over_at_once_is_no_reason_to_hurry(scene: Scene) -> None:
    """The machine's clock is wrong, or the server's: asking on would use up its limits."""
    scene.issued = lambda: make(NAME, begins=NOW - LIFE, ends=NOW - timedelta(days=1))
    scene.renewal.start()
    scene.days(0.2, step=60)
    assert len(scene.obtained) < 9
    assert any("is this machine's clock right?" in line for line in scene.lines)


def test_can_be_told_to_try_again_now(scene: Scene) -> None:
    """By an operator, who has mended it; not twice at a time."""
    scene.fails = AcmeFailed("no connection")
    scene.renewal.start()
    scene.renewal.hurry()
    assert scene.obtained == [0, 0]
    waiting: Deferred[KeyPair] = Deferred()
    scene.run = lambda _: waiting
    scene.renewal.hurry()
    scene.renewal.hurry()
    scene.run = execute
    scene.fails = None
    waiting.errback(AcmeFailed("still"))
    scene.clock.advance(1200)
    assert len(scene.installed) == 1


def test_stopped_it_waits_for_nothing(scene: Scene) -> None:
    """What the thread brings later is kept, and nothing follows; no failure is told."""
    waiting: Deferred[KeyPair] = Deferred()
    scene.run = lambda _: waiting
    scene.renewal.start()
    scene.renewal.stop()
    waiting.errback(AcmeFailed("the mirror is ending"))
    assert scene.lines == []
    assert scene.stopping.is_set()


def test_a_defect_is_not_the_end(scene: Scene, logged_failures: LoggedFailures) -> None:
    """It is in the log with its stack, and the next try comes."""
    scene.fails = ZeroDivisionError("ours")
    scene.renewal.start()
    assert len(logged_failures.take(ZeroDivisionError)) == 1
    scene.fails = None
    scene.clock.advance(61)
    assert len(scene.installed) == 1
