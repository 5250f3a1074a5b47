"""Several processes that serve as one mirror: started, replaced, reloaded and ended from here.

One is the keeper: it has the data folder's files, goes upstream and decides. The others are
workers: clients come to them. Their sockets are held here, one of each for each worker, so that
what waits on one outlives who was to take it.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final, cast

from attrs import evolve
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from hubmirror.activation import HandedOver
from hubmirror.config import Config, ListenAddress
from hubmirror.coordination.board import Board
from hubmirror.datafolder import DataFolder
from hubmirror.listeners import BACKLOG, ListenError, authority, interfaces, url_of
from hubmirror.notifying import Notifier
from hubmirror.options import Options
from hubmirror.processes import BOARD, KEEPER, READY, WORKER, Place, local_path
from hubmirror.service import MirrorService

__all__ = ["Supervisor", "spawn"]

#: A process that ends sooner than this after its start is not started anew at once, but after
#: this and then twice, four times, ... as long. In seconds.
SOON: Final = 1.0
LONGEST_PAUSE: Final = 30.0
#: How long the processes of a supervisor that was killed may take to end, in seconds.
ORPHANS: Final = 5.0
#: How long beyond ``shutdown_grace`` a process may take to end, in seconds.
OVERTIME: Final = 10.0

_SHELL: Final = "/bin/sh"


class Supervisor(MirrorService):
    """``start(protocol, place)`` starts a process: see ``spawn``."""

    name = "hubmirror"

    def __init__(
        self,
        options: Options,
        reactor: Any,
        start: Callable[[ProcessProtocol, Place], Any],
        handed_over: HandedOver | None = None,
        notifier: Notifier | None = None,
    ) -> None:
        super().__init__(options, reactor, notifier)
        self._start = start
        self._handed_over = handed_over or HandedOver()
        self._keeper: _Child | None = None
        self._workers: list[_Child] = []
        self._all: set[_Child] = set()
        self._pauses: dict[int, float] = {}
        self._is_ending = self._has_served = False
        self._rolling: Deferred[None] | None = None

    def stopService(self) -> Deferred[None]:
        """End the workers, and then the keeper, through which their last requests go."""
        super().stopService()
        return Deferred.fromCoroutine(self._close())

    def _open(self) -> None:
        config = self._config
        os.umask(0o077)
        self._folder = DataFolder.open(config.data, ORPHANS)
        self._board = Board(config.data / BOARD)
        for seat in self._board.seats:
            seat.begin()
        self._sockets = _Sockets(config, self._handed_over)

    def _started(self) -> None:
        self._listen_for_reloads()
        signal.signal(signal.SIGUSR2, self._roll_soon)
        self._begin_keeper(greets=True)

    def _take_in_force(self, config: Config) -> None:
        """It can be used, so let all of them read it."""
        self._config = evolve(config, workers=self._config.workers)
        for child in self._all:
            child.ready.addCallback(child.hang_up)

    def _cut(self) -> None:
        for child in self._all:
            child.signal(signal.SIGTERM)

    def _begin_keeper(self, *, greets: bool = False) -> _Child:
        urls, watched = self._sockets.urls, self._sockets.watched
        place = Place(
            KEEPER,
            0,
            monitor=tuple(one.fileno() for one in self._sockets.monitor),
            local=self._sockets.local.fileno(),
            lock=self._folder.lock,
            urls=urls,
            watched=watched,
            greets=greets,
        )
        self._keeper = self._begin(place, -1)
        self._keeper.ready.addCallback(self._keeper_serves)
        return self._keeper

    def _keeper_serves(self, is_ready: bool) -> bool:
        """Now it is known that the mirror can be, and there is a certificate."""
        if is_ready and not self._has_served and not self._is_ending:
            self._has_served = True
            self._workers = [self._begin_worker(one) for one in range(self._config.workers)]
            gatherResults([one.ready for one in self._workers]).addCallback(self._workers_serve)
        return is_ready

    def _workers_serve(self, are_ready: list[bool]) -> None:
        if any(are_ready) and not self._is_ending:
            self._serves(self._sockets.urls)

    def _begin_worker(self, number: int) -> _Child:
        taken = {child.place.seat for child in self._all}
        seat = next(n for n in range(1, len(self._board.seats)) if n not in taken)
        http, https = self._sockets.of_worker(number)
        return self._begin(Place(WORKER, seat, http=http, https=https), number)

    def _begin(self, place: Place, number: int) -> _Child:
        child = _Child(place, number, self._reactor, self._ended)
        self._all.add(child)
        child.transport = self._start(child, place)
        return child

    def _ended(self, child: _Child, status: str) -> None:
        self._all.discard(child)
        self._board.seats[child.place.seat].vacate()
        was_ours = child is self._keeper or child in self._workers
        if child in self._workers:
            self._workers.remove(child)
        if self._is_ending or not was_ours:
            return
        if child is self._keeper and not self._has_served:
            self._give_up()
            return
        role = child.place.role
        self._log.error("a {role} has ended ({why}): another begins", role=role, why=status)
        self._reactor.callLater(self._pause(child), self._replace, child)

    def _replace(self, child: _Child) -> None:
        """Unless another has taken its place meanwhile."""
        if self._is_ending:
            return
        numbers = [one.number for one in self._workers]
        if child is self._keeper:
            self._begin_keeper()
        elif child.place.role == WORKER and child.number not in numbers:
            self._workers.append(self._begin_worker(child.number))

    def _pause(self, child: _Child) -> float:
        """Nothing for who has served for a while; longer and longer for who can't."""
        if child.seconds() >= SOON:
            self._pauses.pop(child.number, None)
            return 0.0
        pause = min(LONGEST_PAUSE, 2 * self._pauses.get(child.number, SOON / 4))
        self._pauses[child.number] = pause
        return pause

    def _give_up(self) -> None:
        """The keeper has said why it can't start: as with one process, it ends with 1."""
        self._reactor.addSystemEventTrigger("after", "shutdown", os._exit, 1)
        self._reactor.stop()

    def _roll_soon(self, *_: object) -> None:
        self._reactor.callFromThread(self._roll_once)

    def _roll_once(self) -> None:
        if self._rolling is None and not self._is_ending:
            self._rolling = Deferred.fromCoroutine(self._roll())
            self._rolling.addBoth(self._rolled)

    def _rolled(self, result: object) -> None:
        self._rolling = None
        if isinstance(result, Failure):
            self._log.failure("the processes could not be replaced", failure=result)

    async def _roll(self) -> None:
        """One after the other: the new one serves before the old one stops to."""
        self._log.info("all processes are being replaced, one by one")
        for number in range(self._config.workers):
            new = self._begin_worker(number)
            if not await new.ready:
                self._log.error("a new worker did not start: the old ones go on")
                return
            old = [one for one in self._workers if one.number == number]
            self._workers = [one for one in self._workers if one not in old] + [new]
            await gatherResults([one.end(self._patience) for one in old])
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            await keeper.end(self._patience)
        if not self._is_ending:
            await self._begin_keeper().ready
        self._log.info("all processes have been replaced")

    @property
    def _patience(self) -> float:
        return self._config.shutdown_grace + OVERTIME

    async def _close(self) -> None:
        self._is_ending = True
        workers = [child for child in self._all if child.place.role == WORKER]
        await gatherResults([child.end(self._patience) for child in workers])
        rest = [child.end(self._patience) for child in list(self._all)]
        await gatherResults(rest)
        self._sockets.close()
        self._folder.close()


def spawn(reactor: Any, options: Options, protocol: ProcessProtocol, place: Place) -> Any:
    """Start a process of the same program, with the same arguments, at ``place``.

    A terminal sends Ctrl-C to all processes: until this one can heed it, it ignores it.
    """
    numbers = {fd: READY + 1 + n for n, fd in enumerate(place.descriptors())}
    program = [sys.executable, "-m", "hubmirror", "serve", *options.arguments]
    return reactor.spawnProcess(
        protocol,
        _SHELL,
        [_SHELL, "-c", "trap '' INT; exec \"$@\"", _SHELL, *program],
        {**os.environ, **place.renumbered(numbers).environment()},
        str(options.folder),
        childFDs={0: "w", 1: 1, 2: 2, READY: "r", **{n: fd for fd, n in numbers.items()}},
    )


class _Child(ProcessProtocol):
    """A process. ``ready`` fires with whether it serves, before or when it ends."""

    def __init__(
        self, place: Place, number: int, reactor: Any, ended: Callable[[_Child, str], None]
    ) -> None:
        self.place = place
        self.number = number
        self.ready: Deferred[bool] = Deferred()
        self._reactor = reactor
        self._began = reactor.seconds()
        self._told = ended
        self._waiting: list[Deferred[None]] = []
        self._has_ended = False
        self._kill: IDelayedCall | None = None

    def seconds(self) -> float:
        """How long it has been there."""
        return float(self._reactor.seconds() - self._began)

    def hang_up(self, is_ready: bool) -> bool:
        """Have it read its configuration again, if it is there: before, that would end it."""
        if is_ready:
            self.signal(signal.SIGHUP)
        return is_ready

    def signal(self, number: int) -> None:
        """Send it a signal, if it is there."""
        with suppress(ProcessExitedAlready):
            cast(Any, self.transport).signalProcess(number)

    def end(self, patience: float) -> Deferred[None]:
        """Have it end: kindly at first. Fires when it has."""
        waiting: Deferred[None] = Deferred()
        if self._has_ended:
            waiting.callback(None)
            return waiting
        self._waiting.append(waiting)
        self.signal(signal.SIGTERM)
        if self._kill is None:
            self._kill = self._reactor.callLater(patience, self.signal, signal.SIGKILL)
        return waiting

    def childDataReceived(self, childFD: int, data: bytes) -> None:  # noqa: ARG002
        """It says that it serves: nothing else is ever said."""
        if not self.ready.called:
            self.ready.callback(True)

    def processEnded(self, reason: Failure) -> None:
        self._has_ended = True
        if self._kill is not None and self._kill.active():
            self._kill.cancel()
        self._told(self, str(reason.value))
        if not self.ready.called:
            self.ready.callback(False)
        for waiting in self._waiting:
            waiting.callback(None)


class _Sockets:
    """What is listened on. Raises ``ListenError`` where that can't be."""

    _log = Logger()

    def __init__(self, config: Config, handed_over: HandedOver) -> None:
        self._open: list[socket.socket] = []
        self._handed_over = handed_over
        try:
            self._http = self._shared("http", config.http, config.workers)
            self._https = self._shared("https", config.https, config.workers)
            watched = self._shared("monitor", config.monitor, 1)
            self.local = self._local(config)
        except BaseException:
            self.close()
            raise
        self.urls = tuple(url for url, _ in (*self._http, *self._https))
        self.watched = tuple(url for url, _ in watched)
        self.monitor = [one for _, [one] in watched]

    def of_worker(self, number: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The descriptors of a worker's sockets, for HTTP and for HTTPS."""
        return (
            tuple(several[number].fileno() for _, several in self._http),
            tuple(several[number].fileno() for _, several in self._https),
        )

    def close(self) -> None:
        """Listen no more."""
        for one in self._open:
            one.close()

    def _shared(
        self, name: str, addresses: Iterable[ListenAddress], count: int
    ) -> list[tuple[str, list[socket.socket]]]:
        scheme = "https" if name == "https" else "http"
        given = self._handed_over.sockets(name)
        if given:
            # Each is one, which all take from: more of it can't be made beside.
            self._open += given
            return [(url_of(scheme, one), [one] * count) for one in given]
        return [
            self._several(scheme, host, address.port, count)
            for address in addresses
            for host in interfaces(address)
        ]

    def _several(
        self, scheme: str, host: str, port: int, count: int
    ) -> tuple[str, list[socket.socket]]:
        """So many sockets on one port, among which the kernel shares connections out."""
        several = []
        try:
            for _ in range(count):
                several.append(self._bound(host, port))
                port = several[0].getsockname()[1]
        except OSError as error:
            url = f"{scheme}://{authority(host, port)}"
            raise ListenError(f"cannot listen on {url}: {error.strerror}") from error
        return f"{scheme}://{authority(host, port)}", several

    def _bound(self, host: str, port: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        one = socket.socket(family, socket.SOCK_STREAM)
        self._open.append(one)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.setblocking(False)
        one.bind((host, port))
        one.listen(BACKLOG)
        return one

    def _local(self, config: Config) -> socket.socket:
        """Where the keeper is to be found: for the folder's owner alone."""
        path = local_path(config.data)
        with suppress(FileNotFoundError):
            os.unlink(path)
        one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._open.append(one)
        one.setblocking(False)
        try:
            one.bind(path)
            os.chmod(path, 0o600)
            one.listen(BACKLOG)
        except OSError as error:
            raise ListenError(f"cannot listen in {config.data}: {error.strerror}") from error
        return one
