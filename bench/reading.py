"""The client: one GET, its body counted and thrown away at the least cost there is."""

from __future__ import annotations

import socket
import time
from urllib.parse import urlsplit

__all__ = ["ping", "timed_get"]

_BUFFER = bytearray(1 << 20)
_LONGEST_HEAD = 16 * 1024


def timed_get(url: str, length: int) -> float:
    """Seconds from connecting to the last byte of ``url``, whose body has ``length`` bytes.

    The kernel drops the body unseen (``MSG_TRUNC``, tcp(7)): it costs the client no copy, so
    that the processor is left to who is measured. Raises ``RuntimeError`` for any other answer
    than a 200 of that length.
    """
    began = time.perf_counter()
    with _asked(url) as connection:
        left = length - _body_begun(connection, length)
        while left:
            received = connection.recv_into(_BUFFER, min(left, len(_BUFFER)), socket.MSG_TRUNC)
            if not received:
                raise RuntimeError(f"{url}: {left} bytes are missing")
            left -= received
    return time.perf_counter() - began


def ping(url: str) -> None:
    """GET ``url`` and read what comes."""
    with _asked(url) as connection:
        while connection.recv_into(_BUFFER):
            pass


def _asked(url: str) -> socket.socket:
    target = urlsplit(url)
    connection = socket.create_connection((target.hostname, target.port), timeout=60)
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
