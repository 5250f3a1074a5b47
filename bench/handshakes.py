"""New TLS connections, one after another, each for one answer.

``python -m bench.handshakes URL SECONDS full|resumed`` prints how many there were, and how many of
them resumed the first one's session.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from urllib.parse import urlsplit

from attrs import frozen
from OpenSSL import SSL

from bench.content import MANIFEST_TYPE
from bench.processes import PYTHON, clean_environment
from bench.secure import CIPHER

__all__ = ["CLIENTS", "Connections", "connect_often"]

#: Programs at once: with fewer, the peer would wait for its clients.
CLIENTS = 4
_PATIENCE = 60
_ENOUGH = 1 << 16


@frozen
class Connections:
    """How many there were in how many seconds, and how many of them were resumed."""

    seconds: float
    made: int
    resumed: int


def connect_often(url: str, seconds: float, mode: str) -> Connections:
    """Ask for the manifest at ``url`` on new connections, ``full`` or ``resumed``.

    Raises ``RuntimeError`` for another answer than a 200.
    """
    command = (PYTHON, "-m", "bench.handshakes", url, str(seconds), mode)
    clients = [
        subprocess.Popen(command, env=clean_environment(), stdout=subprocess.PIPE, text=True)
        for _ in range(CLIENTS)
    ]
    said = [client.communicate()[0].split() for client in clients]
    if any(client.returncode for client in clients):
        raise RuntimeError(f"{url}: no handshakes")
    took, made, resumed = zip(*said, strict=True)
    return Connections(max(map(float, took)), sum(map(int, made)), sum(map(int, resumed)))


class _Client:
    """``resumed`` counts the handshakes in which the peer did not show its certificate."""

    def __init__(self, url: str) -> None:
        target = urlsplit(url)
        self.resumed = 0
        self._was_shown = False
        self._address = target.hostname, target.port
        self._request = (
            f"GET {target.path} HTTP/1.1\r\nHost: {target.netloc}\r\n"
            f"Accept: {MANIFEST_TYPE}\r\nConnection: close\r\n\r\n"
        ).encode()
        self._context = SSL.Context(SSL.TLS_METHOD)
        self._context.set_min_proto_version(SSL.TLS1_3_VERSION)
        self._context.set_tls13_ciphersuites(CIPHER.encode())
        self._context.set_verify(SSL.VERIFY_PEER, self._shown)

    def connect(self, session: SSL.Session | None) -> SSL.Session | None:
        """One connection and its answer; the session that a next one may resume."""
        with socket.create_connection(self._address, timeout=_PATIENCE) as connection:
            connection.setblocking(True)  # pyOpenSSL knows no time-out
            # The question follows the handshake's end at once, and not when that is acknowledged.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            tls = SSL.Connection(self._context, connection)
            tls.set_connect_state()
            if session is not None:
                tls.set_session(session)
            self._was_shown = False
            tls.sendall(self._request)
            self.resumed += not self._was_shown
            if b" 200 " not in self._answer(tls).partition(b"\r\n")[0]:
                raise RuntimeError("not a 200")
            tls.set_shutdown(SSL.SENT_SHUTDOWN)  # else OpenSSL holds the session for a bad one
            return tls.get_session()

    def _answer(self, tls: SSL.Connection) -> bytes:
        answer = b""
        try:
            while True:
                answer += tls.recv(_ENOUGH)
        except (SSL.ZeroReturnError, SSL.SysCallError):
            return answer

    def _shown(self, *_: object) -> bool:
        self._was_shown = True
        return True


def main() -> None:
    """See above."""
    url, seconds, mode = sys.argv[1:]
    client = _Client(url)
    session = client.connect(None)
    client.resumed = made = 0
    began = time.perf_counter()
    while time.perf_counter() - began < float(seconds):
        client.connect(session if mode == "resumed" else None)
        made += 1
    print(time.perf_counter() - began, made, client.resumed)


if __name__ == "__main__":
    main()
