"""The client: GETs whose bodies are counted and thrown away at the least cost there is."""

from __future__ import annotations

import select
import selectors
import socket
import time
from collections.abc import Sequence
from ssl import CERT_NONE, SSLContext, create_default_context
from typing import Protocol, cast
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

from bench.secure import SecureSocket, ciphered

__all__ = ["body_of", "ping", "timed_get", "timed_gets", "wait_for_answer"]

_BUFFER = bytearray(1 << 20)
_LONGEST_HEAD = 16 * 1024
#: A minute without a byte is an error.
_PATIENCE = 60


def timed_get(url: str, length: int) -> float:
    """Seconds from connecting to the last byte of ``url``, whose body has ``length`` bytes.

    The kernel drops the body unseen (``MSG_TRUNC``, tcp(7)): it costs the client no copy, so
    that the processor is left to who is measured. Of an ``https`` URL only the head is deciphered.
    Raises ``RuntimeError`` for any other answer than a 200 of that length.
    """
    return timed_gets([url], length)[0]


def timed_gets(urls: Sequence[str], length: int) -> list[float]:
    """The same for many at once: how long each took, from the moment when all began."""
    began = time.perf_counter()
    seconds = [0.0] * len(urls)
    with selectors.DefaultSelector() as selector:
        for number, url in enumerate(urls):
            connection, heads = _asked(url)
            body = _Body(number, url, length, heads)
            selector.register(connection, selectors.EVENT_READ, body)
        while selector.get_map():
            ready = selector.select(_PATIENCE)
            if not ready:
                raise RuntimeError(f"{urls[0]}: nothing comes any more")
            for key, _ in ready:
                body = key.data
                connection = cast(socket.socket, key.fileobj)
                if body.receive(connection):
                    seconds[body.number] = time.perf_counter() - began
                    selector.unregister(connection)
                    connection.close()
    return seconds


def body_of(url: str, accept: str = "*/*") -> bytes:
    """What is at ``url``, as one of the media types in ``accept``."""
    request = Request(url, headers={"Accept": accept})  # noqa: S310 - it is one of our own
    opener = build_opener(ProxyHandler({}), HTTPSHandler(context=_trusting()))
    with opener.open(request, timeout=_PATIENCE) as response:
        body: bytes = response.read()
    return body


def wait_for_answer(url: str) -> None:
    """Until ``url`` has a good answer; raises ``RuntimeError`` after a minute without."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        try:
            body_of(url)
        except URLError:
            select.select([], [], [], 0.01)
        else:
            return
    raise RuntimeError(f"{url}: no answer")


def ping(url: str) -> None:
    """GET ``url`` and read what comes."""
    connection, _ = _asked(url)
    with connection:
        while connection.recv_into(_BUFFER):
            pass


class _Heads(Protocol):
    """Where the head of an answer comes from."""

    def recv(self) -> bytes:
        """Some of it, and of what follows."""

    def on_the_wire(self, length: int) -> int:
        """How many bytes that many are on the socket."""


class _PlainHeads:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def recv(self) -> bytes:
        return self._connection.recv(_LONGEST_HEAD)

    def on_the_wire(self, length: int) -> int:
        return length


class _SecureHeads:
    def __init__(self, connection: SecureSocket) -> None:
        self._connection = connection

    def recv(self) -> bytes:
        return self._connection.recv()

    def on_the_wire(self, length: int) -> int:
        return ciphered(length)


class _Body:
    """One answer, as far as it has come."""

    def __init__(self, number: int, url: str, length: int, heads: _Heads) -> None:
        self.number = number
        self._url = url
        self._length = length
        self._heads = heads
        self._left: int | None = None

    def receive(self, connection: socket.socket) -> bool:
        """Take what is there; whether that was the last."""
        if self._left is None:
            begun = _body_begun(self._heads, self._length)
            self._left = self._heads.on_the_wire(self._length - begun)
        elif self._left:
            wanted = min(self._left, len(_BUFFER))
            received = connection.recv_into(_BUFFER, wanted, socket.MSG_TRUNC)
            if not received:
                raise RuntimeError(f"{self._url}: {self._left} bytes are missing")
            self._left -= received
        return self._left == 0


def _asked(url: str) -> tuple[socket.socket, _Heads]:
    target = urlsplit(url)
    connection = socket.create_connection((target.hostname, target.port), timeout=_PATIENCE)
    head = f"GET {target.path} HTTP/1.1\r\nHost: {target.netloc}\r\nConnection: close\r\n\r\n"
    if target.scheme == "https":
        secure = SecureSocket(connection)
        secure.sendall(head.encode())
        return connection, _SecureHeads(secure)
    connection.sendall(head.encode())
    return connection, _PlainHeads(connection)


def _body_begun(heads: _Heads, length: int) -> int:
    """Read the head and check it; how many bytes of the body came with it."""
    received = b""
    while b"\r\n\r\n" not in received:
        more = heads.recv()
        if not more or len(received) > _LONGEST_HEAD:
            raise RuntimeError(f"no answer but {received!r}")
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    status, *fields = head.lower().split(b"\r\n")
    if b" 200 " not in status or b"content-length: %d" % length not in fields:
        raise RuntimeError(f"not a 200 of {length} bytes: {head!r}")
    return len(body)


def _trusting() -> SSLContext:
    """All here is on loopback, with certificates that were made for the occasion."""
    context = create_default_context()
    context.check_hostname = False
    context.verify_mode = CERT_NONE
    return context
