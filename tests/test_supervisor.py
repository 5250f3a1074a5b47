"""Who starts, ends and replaces processes: here ones that do what a test says.

Real ones are in ``tests/integration/test_workers.py``; what happens when they die at odd moments is
easier told of these.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from hubmirror.options import Options
from hubmirror.processes import KEEPER, READY, WORKER, Place
from hubmirror.supervisor import SOON, Supervisor

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2)


class Process:
    """Does nothing by itself. ``signals`` are those that were sent to it."""

    def __init__(self, protocol: ProcessProtocol, place: Place) -> None:
        self.place = place
        self.signals: list[int] = []
        self.is_alive = True
        self._protocol = protocol

    def signalProcess(self, number: int) -> None:
        """See ``IProcessTransport``."""
        if not self.is_alive:
            raise ProcessExitedAlready
        self.signals.append(number)

    def serve(self) -> None:
        """Say so."""
        self._protocol.childDataReceived(READY, b"1")

    def end(self, status: int = 0) -> None:
        """Be gone."""
        self.is_alive = False
        reason = ProcessTerminated(status) if status else ProcessDone(0)
        self._protocol.processEnded(Failure(reason))


class Reactor(Clock):
    """What a supervisor needs of one. ``has_stopped``: it was told to."""

    def __init__(self) -> None:
        super().__init__()
        self.has_stopped = False
        self.at_the_end: list[tuple[Callable[..., object], tuple[object, ...]]] = []

    def callWhenRunning(self, work: Callable[..., Any]) -> None:
        """It runs."""
        work()

    def callFromThread(self, work: Callable[..., Any], *arguments: object) -> None:
        """It is this one."""
        work(*arguments)

    def addSystemEventTrigger(
        self, _phase: str, _event: str, work: Callable[..., object], *arguments: object
    ) -> None:
        """To be done at the end."""
        self.at_the_end.append((work, arguments))

    def stop(self) -> None:
        """It is to end."""
        self.has_stopped = True


class Scene:
    """A supervisor of two workers."""

    def __init__(self, folder: Path) -> None:
        options = Options(environ={})
        options.parseOptions(
            ["--data", str(folder / "data"), "--http", "127.0.0.1:0", "--workers", "2"]
        )
        self.reactor = Reactor()
        self.started: list[Process] = []
        self._stopped: Deferred[None] | None = None
        self.supervisor = Supervisor(options, self.reactor, self._start)
        self.supervisor.startService()

    def _start(self, protocol: ProcessProtocol, place: Place) -> Process:
        process = Process(protocol, place)
        self.started.append(process)
        return process

    def alive(self, role: str) -> list[Process]:
        """The processes that are there."""
        return [one for one in self.started if one.is_alive and one.place.role == role]

    @property
    def keeper(self) -> Process:
        """The one that is there."""
        (found,) = self.alive(KEEPER)
        return found

    @property
    def workers(self) -> list[Process]:
        """Those that are there."""
        return self.alive(WORKER)

    def serve(self) -> None:
        """All that are there do."""
        self.keeper.serve()
        for worker in self.workers:
            worker.serve()

    def begin_to_stop(self) -> Deferred[None]:
        """Tell it to end; fires when it has."""
        if self._stopped is None:
            self._stopped = self.supervisor.stopService()
        return self._stopped

    def stop(self) -> Deferred[None]:
        """End it, and all that it has started; fires when all are gone."""
        stopped = self.begin_to_stop()
        while any(one.is_alive for one in self.started):
            for one in self.started:
                if one.is_alive:
                    one.end()
        return stopped


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """One that has just begun. The process's signal handlers are left as they were."""
    kept = {number: signal.getsignal(number) for number in SIGNALS}
    umask = os.umask(0o022)
    scene = Scene(tmp_path)
    yield scene
    assert scene.stop().called
    os.umask(umask)
    for number, previous in kept.items():
        signal.signal(number, previous)


def test_workers_begin_once_the_keeper_serves(scene: Scene) -> None:
    """Each at a seat and a socket of its own."""
    assert scene.keeper.place.greets
    assert scene.workers == []
    scene.keeper.serve()
    places = [one.place for one in scene.workers]
    assert len(places) == len({place.seat for place in places}) == 2
    assert len({place.http for place in places}) == 2


def test_a_keeper_that_never_serves_is_the_end(scene: Scene) -> None:
    """It has said why; with the status of a start that failed."""
    scene.keeper.end(1)
    assert scene.reactor.has_stopped
    assert scene.reactor.at_the_end == [(os._exit, (1,))]
    assert scene.alive(KEEPER) == []


@pytest.mark.parametrize("role", [KEEPER, WORKER])
def test_who_dies_is_replaced_at_once(scene: Scene, role: str) -> None:
    """At the same sockets; nobody is greeted anew."""
    scene.serve()
    scene.reactor.advance(SOON)
    (*_, died) = scene.alive(role)
    count = len(scene.alive(role))
    died.end(9)
    scene.reactor.advance(0)
    assert len(scene.alive(role)) == count
    new = scene.started[-1].place
    assert (new.role, new.http, new.local) == (role, died.place.http, died.place.local)
    assert not new.greets


def test_who_can_not_live_is_not_started_for_ever(scene: Scene) -> None:
    """The pause before another one grows, and is short again once one has lived."""
    scene.serve()
    starts = len(scene.started)
    for _ in range(200):
        for worker in scene.workers[1:]:
            worker.end(1)
        scene.reactor.advance(0.1)
    assert len(scene.started) - starts < 8
    scene.reactor.advance(60)
    assert len(scene.workers) == 2


def test_a_reload_reaches_who_serves(scene: Scene) -> None:
    """The others once they do: before, the signal would end them."""
    scene.keeper.serve()
    first, second = scene.workers
    first.serve()
    os.kill(os.getpid(), signal.SIGHUP)
    assert (scene.keeper.signals, first.signals, second.signals) == (
        [signal.SIGHUP],
        [signal.SIGHUP],
        [],
    )
    second.serve()
    assert second.signals == [signal.SIGHUP]


def test_all_are_replaced_one_by_one(scene: Scene) -> None:
    """The old one is told to end when the new one serves, and the keeper goes last."""
    scene.serve()
    keeper, old = scene.keeper, scene.workers
    os.kill(os.getpid(), signal.SIGUSR2)
    for number, worker in enumerate(old):
        assert len(scene.workers) == 3
        assert worker.signals == []
        new = scene.workers[-1]
        assert new.place.http == worker.place.http
        new.serve()
        assert worker.signals == [signal.SIGTERM]
        assert keeper.signals == []
        worker.end()
        assert len(scene.workers) == (3 if number == 0 else 2)
    assert keeper.signals == [signal.SIGTERM]
    keeper.end()
    assert scene.keeper is not keeper
    scene.keeper.serve()
    assert not set(scene.workers) & set(old)


def test_a_new_one_that_does_not_serve_replaces_nobody(scene: Scene) -> None:
    """The old ones go on, and no more than they."""
    scene.serve()
    old = scene.workers
    os.kill(os.getpid(), signal.SIGUSR2)
    scene.workers[-1].end(1)
    scene.reactor.advance(60)
    assert scene.workers == old
    assert [worker.signals for worker in old] == [[], []]


def test_an_old_one_that_dies_meanwhile_is_replaced_once(scene: Scene) -> None:
    """By the one that was to replace it, or by another, but not by both for good."""
    scene.serve()
    scene.reactor.advance(SOON)
    old, other = scene.workers
    os.kill(os.getpid(), signal.SIGUSR2)
    new = scene.workers[-1]
    old.end(9)
    scene.reactor.advance(0)
    new.serve()
    for extra in [one for one in scene.workers if signal.SIGTERM in one.signals]:
        extra.end()
    scene.workers[-1].serve()
    other.end()
    assert len(scene.workers) == 2
    assert new in scene.workers


def test_one_that_waits_for_its_start_is_not_missed_any_more(scene: Scene) -> None:
    """As another has taken its place meanwhile."""
    scene.serve()
    old, other = scene.workers
    os.kill(os.getpid(), signal.SIGUSR2)
    new = scene.workers[-1]
    old.end(9)
    new.serve()
    scene.reactor.advance(60)
    other.end()
    assert len([one for one in scene.workers if one.place.http == new.place.http]) == 1


def test_the_keeper_ends_after_the_workers(scene: Scene) -> None:
    """Their last requests go through it."""
    scene.serve()
    workers, keeper = scene.workers, scene.keeper
    stopped = scene.begin_to_stop()
    assert [worker.signals for worker in workers] == [[signal.SIGTERM]] * 2
    assert keeper.signals == []
    for worker in workers:
        worker.end()
    assert keeper.signals == [signal.SIGTERM]
    assert not stopped.called
    keeper.end()
    assert stopped.called


def test_who_does_not_end_is_killed(scene: Scene) -> None:
    """After the grace time, and some more."""
    scene.serve()
    worker = scene.workers[0]
    scene.begin_to_stop()
    scene.reactor.advance(39)
    assert signal.SIGKILL not in worker.signals
    scene.reactor.advance(1)
    assert worker.signals == [signal.SIGTERM, signal.SIGKILL]
