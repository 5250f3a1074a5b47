"""The mirror's process, played by a short program or by nothing at all."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from hubmirror.demo.child import MirrorEnded, MirrorProcess


class Transport:
    """Keeps the signals that a process is sent."""

    def __init__(self) -> None:
        self.signals: list[str] = []

    def signalProcess(self, name: str) -> None:
        self.signals.append(name)


def started(clock: Clock) -> tuple[MirrorProcess, Transport]:
    """A process that has just been started."""
    process, transport = MirrorProcess(clock), Transport()
    process.makeConnection(transport)
    return process, transport


def test_listening_line_is_found_across_pieces() -> None:
    """The URL is taken from a whole line, from either stream."""
    process, _ = started(Clock())
    urls: list[str] = []
    process.listening.addCallback(urls.append)
    process.childDataReceived(2, b"warming up\nlistening on http://127.0")
    process.childDataReceived(1, b"another stream\n")
    assert urls == []
    process.childDataReceived(2, b".0.1:5000\n")
    assert urls == ["http://127.0.0.1:5000"]


def test_end_before_listening_fails_with_its_words() -> None:
    """A process that can't start fails ``listening`` with what it printed."""
    process, _ = started(Clock())
    failures: list[Any] = []
    process.listening.addErrback(failures.append)
    process.childDataReceived(2, b"http: the port is taken\n")
    process.processEnded(Failure(ProcessTerminated(exitCode=2)))
    assert failures[0].check(MirrorEnded)
    assert "the port is taken" in str(failures[0].value)


def test_end_later_is_told() -> None:
    """A process that ends unasked fires ``ended`` with its last words."""
    process, _ = started(Clock())
    ends: list[str] = []
    process.ended.addCallback(ends.append)
    process.childDataReceived(1, b"listening on http://127.0.0.1:1\nout of luck\n")
    process.processEnded(Failure(ProcessDone(0)))
    assert "out of luck" in ends[0]


@pytest.mark.parametrize(("seconds", "signals"), [(1, ["TERM"]), (5, ["TERM", "KILL"])])
def test_stop_is_polite_for_five_seconds(seconds: int, signals: list[str]) -> None:
    """SIGTERM first, SIGKILL for one that stays; stopped when it is over."""
    clock = Clock()
    process, transport = started(clock)
    stopped = process.stop()
    clock.advance(seconds)
    assert transport.signals == signals
    assert not stopped.called
    process.processEnded(Failure(ProcessDone(0)))
    assert stopped.called
    assert not clock.getDelayedCalls()


def test_stop_after_the_end() -> None:
    """There is nothing to wait for."""
    process, transport = started(Clock())
    process.listening.addErrback(lambda _failure: None)
    process.processEnded(Failure(ProcessDone(0)))
    assert process.stop().called
    assert transport.signals == []
