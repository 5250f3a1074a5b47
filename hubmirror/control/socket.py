"""Where the running daemon listens for operators: a unix socket in its data folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from hubmirror.errors import HubmirrorError

__all__ = ["SOCKET", "ControlSocketError", "listen", "path_of", "socket_path"]

SOCKET: Final = "control.sock"
#: What fits into ``sockaddr_un`` (unix(7)), in bytes, without the zero at its end.
_LONGEST: Final = 107


class ControlSocketError(HubmirrorError):
    """The socket can't be listened on, or be reached; the message says why."""


def path_of(name: str) -> str:
    """Where the operation ``name`` is asked for, over the socket."""
    return f"/{name}" if name in ("pull", "quota") else f"/cache/{name}"


def socket_path(folder: Path) -> Path:
    """The socket of the daemon that holds ``folder``; raises ``ControlSocketError``."""
    path = folder / SOCKET
    if len(os.fsencode(path)) > _LONGEST:
        raise ControlSocketError(
            f"{path} is too long a name for a socket: choose a data folder with a shorter one"
        )
    return path


def listen(reactor: Any, folder: Path, site: IProtocolFactory) -> IListeningPort:
    """Serve ``site`` in ``folder``, which the caller has locked.

    So a socket that is there has no daemon any more: it is replaced. Nobody but the folder's
    owner may connect: the socket's mode is 0600, and the folder's is 0700. Raises
    ``ControlSocketError``.
    """
    path = socket_path(folder)
    try:
        path.unlink(missing_ok=True)
        port: IListeningPort = reactor.listenUNIX(str(path), site, mode=0o600)
    except (OSError, CannotListenError) as error:
        raise ControlSocketError(f"cannot listen on {path}: {error}") from error
    return port
