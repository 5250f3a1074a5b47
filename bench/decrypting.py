"""The least that a verified blob over TLS costs: ``python -m bench.decrypting CA HOST:PORT PATH…``.

Reads each body on one blocking socket, decrypts it and hashes it, and does nothing else; then
prints the cipher and what it took: the process's user and system time, in seconds.
"""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
import sys
from collections.abc import Sequence

__all__ = ["read_and_hash"]

#: What is hashed at a time, in bytes.
READ = 256 * 1024
_LONGEST_HEAD = 16 * 1024


def read_and_hash(connection: socket.socket, host: str, path: str, buffer: memoryview) -> str:
    """GET ``path``, hash the body in steps of the buffer's size; its SHA-256 in hex.

    Raises ``RuntimeError`` for any other answer than a 200 with a length that it keeps.
    """
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"
    connection.sendall(request.encode())
    left = _length(connection)
    digest = hashlib.sha256()
    while left:
        filled = 0
        while filled < min(left, len(buffer)):
            received = connection.recv_into(buffer[filled:], min(left, len(buffer)) - filled)
            if not received:
                raise RuntimeError(f"{path}: {left - filled} bytes are missing")
            filled += received
        digest.update(buffer[:filled])
        left -= filled
    return digest.hexdigest()


def _length(connection: socket.socket) -> int:
    """Read the head, and nothing of the body: byte by byte, so that the body is all counted."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        more = connection.recv(1)
        if not more or len(head) > _LONGEST_HEAD:
            raise RuntimeError(f"no answer but {head!r}")
        head += more
    status, *fields = head.lower().split(b"\r\n")
    lengths = [field[15:] for field in fields if field.startswith(b"content-length:")]
    if b" 200 " not in status or len(lengths) != 1:
        raise RuntimeError(f"not a 200 with a length: {head!r}")
    return int(lengths[0])


def main(arguments: Sequence[str]) -> None:
    """Read all the paths, one after the other; each ends in its digest."""
    authority, place, *paths = arguments
    host, _, port = place.rpartition(":")
    context = ssl.create_default_context(cafile=authority)
    plain = socket.create_connection((host, int(port)))  # no time limit: it has to block
    with context.wrap_socket(plain, server_hostname=host) as connection:
        buffer = memoryview(bytearray(READ))
        before = os.times()
        for path in paths:
            if not path.endswith(read_and_hash(connection, place, path, buffer)):
                raise RuntimeError(f"{path}: the digest is wrong")
        after = os.times()
        cipher = connection.cipher()
    spent = after.user + after.system - before.user - before.system
    print(f"{cipher and cipher[0]} {spent:.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
