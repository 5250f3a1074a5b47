"""A mirror as a user starts it: ``hubmirror serve`` in a process of its own."""

from __future__ import annotations

import os
import re
import sys
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

__all__ = ["MirrorEnded", "MirrorProcess", "start_mirror"]

_LISTENING = re.compile(r"listening on (http://\S+)")
_PATIENCE = 5
_KEPT_LINES = 20


class MirrorEnded(Exception):
    """The mirror's process ended though nobody stopped it; the text holds its last lines."""


class MirrorProcess(ProcessProtocol):
    """The process. ``listening`` fires with its URL, or fails with ``MirrorEnded``.

    ``ended`` fires when, later, the process ends though nobody stopped it; its value tells of
    that. ``on_line`` gets each line that the process prints.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self.listening: Deferred[str] = Deferred()
        self.ended: Deferred[str] = Deferred()
        self.on_line: Callable[[str], None] | None = None
        self._clock = clock
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._rest = {1: b"", 2: b""}
        self._is_stopping = False
        self._stopped: Deferred[None] = Deferred()
        self._has_ended = False

    def stop(self) -> Deferred[None]:
        """End the process, by force where it takes more than five seconds; fires when over."""
        self._is_stopping = True
        if self._has_ended:
            return self._stopped
        self._signal("TERM")
        killing = self._clock.callLater(_PATIENCE, self._signal, "KILL")

        def cancel_killing(_ended: None) -> None:
            if killing.active():
                killing.cancel()

        return self._stopped.addCallback(cancel_killing)

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        *lines, self._rest[childFD] = (self._rest[childFD] + data).split(b"\n")
        for line in lines:
            self._line_received(line.decode("utf-8", "replace").rstrip())

    def processEnded(self, reason: Failure) -> None:
        self._has_ended = True
        self._stopped.callback(None)
        if self._is_stopping:
            return
        end = "\n".join([f"the mirror ended: {reason.getErrorMessage()}", *self._lines])
        if self.listening.called:
            self.ended.callback(end)
        else:
            self.listening.errback(MirrorEnded(end))

    def _line_received(self, line: str) -> None:
        self._lines.append(line)
        found = _LISTENING.search(line)
        if found and not self.listening.called:
            self.listening.callback(found.group(1))
        if self.on_line is not None:
            self.on_line(line)

    def _signal(self, name: str) -> None:
        if self.transport is not None:
            with suppress(ProcessExitedAlready):
                self.transport.signalProcess(name)


def start_mirror(reactor: Any, options: Sequence[str]) -> MirrorProcess:
    """Start ``hubmirror serve`` with these options, and with none from the environment."""
    process = MirrorProcess(reactor)
    command = [sys.executable, "-m", "hubmirror", "serve", *options]
    environ = {k: v for k, v in os.environ.items() if not k.startswith("HUBMIRROR_")}
    reactor.spawnProcess(process, sys.executable, command, {**environ, "PYTHONUNBUFFERED": "1"})
    return process
