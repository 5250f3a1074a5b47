"""Connections that are open, and do nothing."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

from bench.content import MANIFEST_TYPE
from bench.secure import SecureSocket

__all__ = ["idle_connections"]

_PATIENCE = 60
_ENOUGH = 1 << 16


@contextmanager
def idle_connections(url: str, count: int) -> Iterator[None]:
    """So many, each of which has had one answer from ``url``; open within."""
    target = urlsplit(url)
    request = (
        f"GET {target.path} HTTP/1.1\r\nHost: {target.netloc}\r\nAccept: {MANIFEST_TYPE}\r\n\r\n"
    )
    with ExitStack() as stack:
        kept: list[object] = []
        for _ in range(count):
            address = target.hostname, target.port
            connection = stack.enter_context(socket.create_connection(address, timeout=_PATIENCE))
            kept.append(_ask(connection, request.encode(), is_secure=target.scheme == "https"))
        yield


def _ask(connection: socket.socket, request: bytes, *, is_secure: bool) -> object:
    """Send ``request`` and see an answer; what must be kept for the connection to go on."""
    secure = SecureSocket(connection) if is_secure else None
    if secure is None:
        connection.sendall(request)
        answer = connection.recv(_ENOUGH)
    else:
        secure.sendall(request)
        answer = secure.recv()
    if b" 200 " not in answer.partition(b"\r\n")[0]:
        raise RuntimeError(f"no answer but {answer!r}")
    return secure
