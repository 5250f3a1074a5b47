"""Sockets that systemd holds for the mirror and hands over to it: socket activation.

They outlive the mirror: who comes while it restarts waits in them. Source: sd_listen_fds(3).
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Any, Final

from attrs import field, frozen

from hubmirror.errors import HubmirrorError

__all__ = ["ActivationError", "HandedOver", "listens_at"]

#: What ``FileDescriptorName=`` may say: each is the setting for which such sockets stand.
NAMES: Final = ("http", "https", "monitor")

_FIRST: Final = 3
_PID, _COUNT, _NAMES = "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"
#: By this the other processes of the same mirror know.
_ADDRESSES: Final = "_HUBMIRROR_LISTENS_AT"


class ActivationError(HubmirrorError):
    """What was handed over can't be used; the message says what and why."""


@frozen
class HandedOver:
    """The sockets, all of which listen, by the setting for which they stand."""

    by_name: Mapping[str, Sequence[socket.socket]] = field(factory=dict)

    @classmethod
    def taken(cls, environ: MutableMapping[str, str], pid: int) -> HandedOver:
        """What ``environ`` says is for the process ``pid``.

        From then on ``environ`` tells the programs that this one starts nothing but the addresses.
        Raises ``ActivationError``.
        """
        by_name: dict[str, list[socket.socket]] = {}
        for name, fd in _told(environ, pid):
            by_name.setdefault(name, []).append(_socket(name, fd))
        environ[_ADDRESSES] = json.dumps(listens_at(environ, pid))
        for variable in (_PID, _COUNT, _NAMES):
            environ.pop(variable, None)
        return cls(by_name)

    def sockets(self, name: str) -> Sequence[socket.socket]:
        """Those that stand for the setting ``name``."""
        return self.by_name.get(name, ())


def listens_at(environ: Mapping[str, str], pid: int) -> dict[str, list[str]]:
    """Where such sockets listen, as settings are written: ``{"http": ["127.0.0.1:5000"]}``.

    Nothing is taken by that. Raises ``ActivationError``.
    """
    if _ADDRESSES in environ:
        known: dict[str, list[str]] = json.loads(environ[_ADDRESSES])
        return known
    addresses: dict[str, list[str]] = {}
    for name, fd in _told(environ, pid):
        with _socket(name, fd, is_looked_at=True) as one:
            host, port = one.getsockname()[:2]
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        addresses.setdefault(name, []).append(address)
    return addresses


def _told(environ: Mapping[str, str], pid: int) -> Iterator[tuple[str, int]]:
    """The names and the descriptors that ``pid`` is given."""
    names = environ.get(_NAMES, "").split(":")
    for number, fd in enumerate(_descriptors(environ, pid)):
        name = names[number] if number < len(names) else ""
        if name not in NAMES:
            raise ActivationError(
                f"systemd hands over a socket called {name!r}: FileDescriptorName= of its unit"
                f" must be one of {', '.join(NAMES)}"
            )
        yield name, fd


def _descriptors(environ: Mapping[str, str], pid: int) -> Sequence[int]:
    if _PID in environ:
        written = environ.get(_COUNT, "")
        is_ours = environ[_PID] == str(pid) and written.isdecimal()
        return range(_FIRST, _FIRST + int(written)) if is_ours else ()
    # Twisted's endpoints take these two variables out of the environment when they are imported,
    # which under twistd is before anybody else can look, and keep what stood there.
    endpoints: Any = sys.modules.get("twisted.internet.endpoints")
    if endpoints is None or _NAMES not in environ:
        return ()
    found: list[int] = endpoints._SystemdParser._sddaemon.inheritedDescriptors()
    return found


def _socket(name: str, fd: int, *, is_looked_at: bool = False) -> socket.socket:
    try:
        one = socket.socket(fileno=os.dup(fd) if is_looked_at else fd)
    except OSError as error:
        raise ActivationError(f"{name} of systemd is no socket: {error.strerror}") from None
    is_internet = one.family in (socket.AF_INET, socket.AF_INET6)
    if not (is_internet and one.type == socket.SOCK_STREAM):
        raise ActivationError(f"the socket {name} of systemd is not one of TCP: see ListenStream=")
    if not one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise ActivationError(f"the socket {name} of systemd does not listen: Accept= must be no")
    one.set_inheritable(False)
    one.setblocking(False)
    return one
