"""A registry that sends a blob as a test tells it: the first half, then on demand the rest."""

from __future__ import annotations

import select
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

__all__ = ["DIGEST", "HALF", "HaltingRegistry", "halting_registry"]

#: The first half of every blob, and the second: more than the buffers on the way hold.
HALF = b"half of a blob: " * 65536
#: The digest of the whole.
DIGEST = f"sha256:{sha256(2 * HALF).hexdigest()}"


class HaltingRegistry(ThreadingHTTPServer):
    """Open to all. Every blob is ``HALF`` twice and halts between, until a test decides."""

    daemon_threads = True

    def __init__(self, is_chunked: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.is_chunked = is_chunked
        self.halted = Event()
        self.client_gone = Event()
        self.finish = Event()
        self.break_off = Event()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def halting_registry(*, is_chunked: bool = False) -> Iterator[HaltingRegistry]:
    """A ``HaltingRegistry`` in a thread; ``is_chunked``: it does not tell a blob's length."""
    with HaltingRegistry(is_chunked) as registry:
        thread = Thread(target=registry.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield registry
        finally:
            registry.break_off.set()
            registry.shutdown()
            thread.join()


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HaltingRegistry

    def do_GET(self) -> None:
        is_blob = "/blobs/" in self.path
        chunked = is_blob and self.server.is_chunked
        self.send_response(200)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(2 * len(HALF) if is_blob else 0))
        self.end_headers()
        if is_blob:
            self._send_blob()

    def _send_blob(self) -> None:
        self._send(HALF)
        self.server.halted.set()
        if self._may_finish():
            self._send(HALF)
            if self.server.is_chunked:
                self.wfile.write(b"0\r\n\r\n")
        else:
            self.close_connection = True

    def _may_finish(self) -> bool:
        """Wait for the test's word or the client's end."""
        while not self.server.break_off.is_set():
            if self.server.finish.is_set():
                return True
            readable, _, _ = select.select([self.connection], [], [], 0.02)
            if readable:
                self.server.client_gone.set()
                return False
        return False

    def _send(self, data: bytes) -> None:
        framed = b"%x\r\n%s\r\n" % (len(data), data) if self.server.is_chunked else data
        try:
            self.wfile.write(framed)
        except ConnectionError:
            self.server.client_gone.set()

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - as in the base
        """Say nothing."""
