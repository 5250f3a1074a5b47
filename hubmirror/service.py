"""What the processes of a mirror share as services: their log, their signals, how they repeat."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from types import FrameType
from typing import Any, Final

from attrs import evolve
from twisted.application.service import Service
from twisted.internet.task import LoopingCall
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized

from hubmirror.config import Config, ConfigError
from hubmirror.errors import HubmirrorError
from hubmirror.logs import LineWriter, is_journal, make_observer
from hubmirror.notifying import Notifier
from hubmirror.options import Options
from hubmirror.processes import Place

__all__ = ["FIXED", "LISTENERS", "MirrorService"]

#: What SIGHUP can't change: these live as long as the process.
FIXED: Final = ("workers", "data")
#: Nor these, where another process listens.
LISTENERS: Final = ("http", "https", "monitor")

#: How long a line of the access log may wait for others, in seconds.
LOG_PAUSE: Final = 0.05


class MirrorService(Service):
    """Ends with 0 on SIGTERM and SIGINT, at once on a second one; reloads on SIGHUP."""

    _log = Logger()
    _fixed: tuple[str, ...] = FIXED

    def __init__(self, options: Options, reactor: Any, notifier: Notifier | None = None) -> None:
        self._options = options
        self._reactor = reactor
        self._notifier = notifier or Notifier()
        self._config = options.loaded.config
        self._loops: list[LoopingCall] = []
        self._status = ""
        self._writer: LineWriter | None = None

    def setServiceParent(self, parent: Any) -> None:
        """As any service; where the parent is ``twistd``'s, its log takes our form."""
        if isinstance(parent, Componentized):
            self._writer = self._made_writer()
            self._reactor.addSystemEventTrigger("after", "shutdown", self._writer.flush)
            parent.setComponent(ILogObserver, self._writer)
        super().setServiceParent(parent)

    def startService(self) -> None:
        """Open what is needed; where that fails, say so in one line, and end with 1."""
        super().startService()
        try:
            self._open()
        except HubmirrorError as error:
            print(f"hubmirror: {error}", file=sys.stderr)
            raise SystemExit(1) from None
        self._reactor.callWhenRunning(self._take_signals)
        self._reactor.callWhenRunning(self._started)

    def stopService(self) -> Any:
        """Say that it ends; how it does is for each to say."""
        self._notifier.stopping()
        return super().stopService()

    def _open(self) -> None:
        """Raises ``HubmirrorError``."""
        raise NotImplementedError

    def _started(self) -> None:
        """The reactor runs."""
        raise NotImplementedError

    def _take_in_force(self, config: Config) -> None:
        """Go over to ``config``. Raises ``HubmirrorError``: all stays as it is then."""
        raise NotImplementedError

    def _cut(self) -> None:
        """Whoever sent a second signal does not want to wait."""
        raise NotImplementedError

    def _take_signals(self) -> None:
        signal.signal(signal.SIGTERM, self._terminate)
        # A terminal sends this one to all processes: it is for the first to pass on.
        is_first = Place.told(os.environ) is None
        signal.signal(signal.SIGINT, self._terminate if is_first else signal.SIG_IGN)

    def _serves(self, urls: Iterable[str]) -> None:
        """Whoever waits for that is told, and from now on that it goes on."""
        self._tell_where(urls)
        self._notifier.ready(self._status)
        if self._notifier.period is not None:
            self._repeat(self._notifier.period, self._notifier.alive)

    def _tell_where(self, urls: Iterable[str]) -> None:
        """To be known from the next word on."""
        self._status = f"serves {', '.join(urls)}"

    def _listen_for_reloads(self) -> None:
        signal.signal(signal.SIGHUP, self._hang_up)

    def _made_writer(self) -> LineWriter:
        config = self._config
        later = partial(self._reactor.callLater, LOG_PAUSE)
        is_for_journal = config.log_format == "text" and is_journal(os.environ, sys.stdout)
        log_format = "journal" if is_for_journal else config.log_format
        return make_observer(log_format, config.log_level, sys.stdout, later)

    def _without_fixed(self, config: Config) -> tuple[list[str], Config]:
        """What of ``config`` differs though it can't change here, and ``config`` without that."""
        fixed = {name: getattr(self._config, name) for name in self._fixed}
        changed = [name for name, value in fixed.items() if getattr(config, name) != value]
        return changed, evolve(config, **fixed)

    def _repeat(self, seconds: float, step: Callable[[], object]) -> None:
        loop = LoopingCall(step)
        loop.clock = self._reactor
        loop.start(seconds, now=False)
        self._loops.append(loop)

    def _end_loops(self) -> None:
        for loop in self._loops:
            loop.stop()
        self._loops.clear()

    def _orphaned(self) -> None:
        """Who started this process is gone, and another may be about to: end at once."""
        self._config = evolve(self._config, shutdown_grace=0.0)
        self._reactor.stop()

    def _terminate(self, number: int, _frame: FrameType | None) -> None:
        """SIGTERM or SIGINT by our own hand: under Twisted's the process would not end with 0."""
        signal.signal(number, lambda *_: self._reactor.callFromThread(self._cut))
        self._reactor.callFromThread(self._reactor.stop)

    def _hang_up(self, _signal: int, _frame: FrameType | None) -> None:
        self._reactor.callFromThread(self._reload)

    def _reload(self) -> None:
        self._notifier.reloading(time.monotonic())
        self._read_again()
        self._notifier.ready(self._status)

    def _read_again(self) -> None:
        try:
            self._take_in_force(self._options.reload().config)
            if self._writer is not None:
                self._writer.become(self._made_writer())
        except ConfigError as error:
            for problem in error.problems:
                self._log.error("the configuration in force stays: {why}", why=str(problem))
        except HubmirrorError as error:
            self._log.error("the configuration in force stays: {why}", why=str(error))
