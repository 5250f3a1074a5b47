"""What the processes of one mirror are told by the one that starts them."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from attrs import asdict, evolve, frozen
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = [
    "BOARD",
    "KEEPER",
    "LOCAL_SOCKET",
    "READY",
    "WORKER",
    "Parent",
    "Place",
    "local_path",
    "sockets",
]

KEEPER: Final = "keeper"
WORKER: Final = "worker"
#: The file of the board, and the socket at which the keeper listens, in the data folder.
BOARD: Final = "board"
LOCAL_SOCKET: Final = "keeper.sock"
#: Where a process says that it serves; its parent is there as long as its input is.
READY: Final = 3

_VARIABLE: Final = "_HUBMIRROR_PLACE"


@frozen
class Place:
    """``seat`` is its number on the board. The sockets are file descriptors that listen, ``lock``

    is what holds the data folder.

    ``urls`` and ``watched`` are where clients and watchers come; ``greets``: nobody has told yet.
    """

    role: str
    seat: int
    http: tuple[int, ...] = ()
    https: tuple[int, ...] = ()
    monitor: tuple[int, ...] = ()
    local: int = -1
    lock: int = -1
    urls: tuple[str, ...] = ()
    watched: tuple[str, ...] = ()
    greets: bool = False

    @classmethod
    def told(cls, environ: Mapping[str, str]) -> Place | None:
        """What this process was told; None where it was started by itself."""
        text = environ.get(_VARIABLE)
        if text is None:
            return None
        fields = json.loads(text)
        lists = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
        return cls(**{**fields, **lists})

    def environment(self) -> dict[str, str]:
        """How it is told."""
        return {_VARIABLE: json.dumps(asdict(self))}

    def descriptors(self) -> list[int]:
        """All that are handed over."""
        single = [fd for fd in (self.local, self.lock) if fd >= 0]
        return [*self.http, *self.https, *self.monitor, *single]

    def renumbered(self, numbers: Mapping[int, int]) -> Place:
        """The same, with the descriptors' numbers as they are there."""
        return evolve(
            self,
            http=tuple(numbers[fd] for fd in self.http),
            https=tuple(numbers[fd] for fd in self.https),
            monitor=tuple(numbers[fd] for fd in self.monitor),
            local=numbers.get(self.local, -1),
            lock=numbers.get(self.lock, -1),
        )

    def say_ready(self) -> None:
        """To whoever has started this process, if that is still there."""
        with suppress(BrokenPipeError):
            os.write(READY, b"1")


def sockets(descriptors: Iterable[int]) -> list[socket.socket]:
    """The sockets behind ``descriptors``, which they take over."""
    return [socket.socket(fileno=fd) for fd in descriptors]


def local_path(folder: Path) -> str:
    """Where the keeper's socket is: by a descriptor, as a socket's name must not be long."""
    fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    return f"/proc/self/fd/{fd}/{LOCAL_SOCKET}"


@implementer(IReadDescriptor)
class Parent:
    """Whoever started this process: ``gone`` is called when it is not there any more."""

    def __init__(self, reactor: Any, gone: Callable[[], object]) -> None:
        self._reactor = reactor
        self._gone: Callable[[], object] | None = gone
        reactor.addReader(self)

    def fileno(self) -> int:
        """Its end of our standard input."""
        return 0

    def logPrefix(self) -> str:
        """For Twisted's log."""
        return "parent"

    def doRead(self) -> None:
        """It says nothing, so this is the end."""
        if not os.read(0, 4096):
            self.connectionLost(None)

    def connectionLost(self, reason: Failure | None) -> None:  # noqa: ARG002
        """It has gone."""
        self._reactor.removeReader(self)
        gone, self._gone = self._gone, None
        if gone is not None and self._reactor.running:
            gone()
