"""Asking the running daemon, by HTTP over its unix socket."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from hubmirror.cli.operating.failures import OperationFailed
from hubmirror.control.socket import path_of

__all__ = ["Take", "ask_daemon"]

#: Takes one report as ``Report.as_json`` has it.
Take = Callable[[Mapping[str, Any]], None]


def ask_daemon(
    path: Path, name: str, values: Mapping[str, object], files: Sequence[int], take: Take
) -> bool:
    """Let the daemon that listens on ``path`` do it; False where none listens.

    ``files`` are sent along, open; ``take`` is called for each report. Raises
    ``OperationFailed``.
    """
    connection = _Connection(path, files)
    try:
        connection.connect()
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    except PermissionError:
        raise OperationFailed(
            f"the daemon's socket {path} is not yours: run this as the daemon's user, or as root"
        ) from None
    with closing(connection):
        try:
            for report in _reports(connection, name, values):
                take(report)
        except (OSError, http.client.HTTPException) as error:
            raise OperationFailed("the daemon broke off in the midst of it") from error
    return True


def _reports(
    connection: _Connection, name: str, values: Mapping[str, object]
) -> Iterator[Mapping[str, Any]]:
    connection.request("POST", path_of(name), json.dumps(values).encode())
    for line in connection.getresponse():
        report = json.loads(line)
        if report["event"] == "end":
            return
        if report["event"] == "error":
            raise OperationFailed(report["message"])
        yield report
    raise http.client.IncompleteRead(b"")  # which ``HTTPResponse`` does not notice between lines


class _Connection(http.client.HTTPConnection):
    """HTTP over a unix socket; the files go with an empty line before the request.

    A server ignores such a line (RFC 9112, section 2.2).
    """

    def __init__(self, path: Path, files: Sequence[int]) -> None:
        super().__init__("localhost")
        self._path = path
        self._files = files

    def connect(self) -> None:
        """Connect, and send the files."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(self._path))
        if self._files:
            socket.send_fds(self.sock, [b"\r\n"], list(self._files))
