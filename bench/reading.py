"""The client: GETs whose bodies are counted and thrown away at the least cost there is."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Sequence
from typing import cast
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

__all__ = ["body_of", "ping", "timed_get", "timed_gets"]

_BUFFER = bytearray(1 << 20)
_LONGEST_HEAD = 16 * 1024
#: A minute without a byte is an error.
_PATIENCE = 60
_NO_PROXY = build_opener(ProxyHandler({}))


def timed_get(url: str, length: int) -> float:
    """Seconds from connecting to the last byte of ``url``, whose body has ``length`` bytes.

    The kernel drops the body unseen (``MSG_TRUNC``, tcp(7)): it costs the client no copy, so
    that the processor is left to who is measured. Raises ``RuntimeError`` for any other answer
    than a 200 of that length.
    """
    return timed_gets([url], length)[0]


def timed_gets(urls: Sequence[str], length: int) -> list[float]:
    """The same for many at once: how long each took, from the moment when all began."""
    began = time.perf_counter()
    seconds = [0.0] * len(urls)
    with selectors.DefaultSelector() as selector:
        for number, url in enumerate(urls):
            selector.register(_asked(url), selectors.EVENT_READ, _Body(number, url, length))
        while selector.get_map():
            ready = selector.select(_PATIENCE)
            if not ready:
                raise RuntimeError(f"{urls[0]}: nothing comes any more")
            for key, _ in ready:
                body: _Body = key.data
                connection = cast(socket.socket, key.fileobj)
                if body.receive(connection):
                    seconds[body.number] = time.perf_counter() - began
                    selector.unregister(connection)
                    connection.close()
    return seconds


def body_of(url: str, accept: str = "*/*") -> bytes:
    """What is at ``url``, as one of the media types in ``accept``."""
    request = Request(url, headers={"Accept": accept})  # noqa: S310 - it is one of our own
    with _NO_PROXY.open(request, timeout=_PATIENCE) as response:
        body: bytes = response.read()
    return body


def ping(url: str) -> None:
    """GET ``url`` and read what comes."""
    with _asked(url) as connection:
        while connection.recv_into(_BUFFER):
            pass


class _Body:
    """One answer, as far as it has come."""

    def __init__(self, number: int, url: str, length: int) -> None:
        self.number = number
        self._url = url
        self._length = length
        self._left: int | None = None

    def receive(self, connection: socket.socket) -> bool:
        """Take what is there; whether that was the last."""
        if self._left is None:
            self._left = self._length - _body_begun(connection, self._length)
        elif self._left:
            wanted = min(self._left, len(_BUFFER))
            received = connection.recv_into(_BUFFER, wanted, socket.MSG_TRUNC)
            if not received:
                raise RuntimeError(f"{self._url}: {self._left} bytes are missing")
            self._left -= received
        return self._left == 0


def _asked(url: str) -> socket.socket:
    target = urlsplit(url)
    connection = socket.create_connection((target.hostname, target.port), timeout=_PATIENCE)
    connection.sendall(
        f"GET {target.path} HTTP/1.1\r\nHost: {target.netloc}\r\nConnection: close\r\n\r\n".encode()
    )
    return connection


def _body_begun(connection: socket.socket, length: int) -> int:
    """Read the head and check it; how many bytes of the body came with it."""
    received = b""
    while b"\r\n\r\n" not in received:
        more = connection.recv(_LONGEST_HEAD)
        if not more or len(received) > _LONGEST_HEAD:
            raise RuntimeError(f"no answer but {received!r}")
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    status, *fields = head.lower().split(b"\r\n")
    if b" 200 " not in status or b"content-length: %d" % length not in fields:
        raise RuntimeError(f"not a 200 of {length} bytes: {head!r}")
    return len(body)
