"""The upstream of the caches that are measured: ``python -m bench.hub FOLDER``.

A registry that redirects to a blob host, on two ports of loopback, in threads and with
``sendfile``: it takes little of the processor from who is measured. It can be slow in three ways,
and counts what it sends.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import select
import time
from collections.abc import Callable
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from urllib.parse import urlsplit

__all__ = ["Allowance", "Server", "parse_range"]

#: What is sent in one go, in bytes: 1.3 ms at 100 MB/s.
STEP = 128 * 1024
_PATH = re.compile(r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs)/(?P<reference>[^/]+)")
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


def _wait(seconds: float) -> None:
    if seconds > 0:
        select.select([], [], [], seconds)


class Allowance:
    """So many bytes a second, for all who share it; without a rate, as many as they like."""

    def __init__(
        self,
        rate: float | None,
        now: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = _wait,
    ) -> None:
        self._rate = rate
        self._now = now
        self._wait = wait
        self._lock = Lock()
        self._next = 0.0

    def take(self, length: int) -> None:
        """Wait until ``length`` bytes may go."""
        if self._rate is None:
            return
        with self._lock:
            now = self._now()
            begin = max(self._next, now)
            self._next = begin + length / self._rate
        self._wait(begin - now)


class Server(ThreadingHTTPServer):
    """One of the two hosts; ``sent`` is how many bytes of blobs it has written.

    ``elsewhere`` is where it redirects to for blobs; None: it has them. ``total`` is the
    allowance of all connections, ``each`` the rate of one, ``delay`` the seconds before each
    answer.
    """

    request_queue_size = 128
    daemon_threads = True

    def __init__(
        self,
        folder: Path,
        *,
        elsewhere: str | None = None,
        total: float | None = None,
        each: float | None = None,
        delay: float = 0.0,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.folder = folder
        self.elsewhere = elsewhere
        self.total = Allowance(total)
        self.each = each
        self.delay = delay
        self.sent = 0
        self._counting = Lock()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def start(self) -> None:
        """Serve, in a thread."""
        Thread(target=self.serve_forever, daemon=True).start()

    def count(self, length: int) -> None:
        """``length`` more bytes have gone."""
        with self._counting:
            self.sent += length


class _Connection(BaseHTTPRequestHandler):
    """One client's connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    @cached_property
    def _allowance(self) -> Allowance:
        return Allowance(self.server.each)

    def do_GET(self) -> None:
        if self.path == "/sent":
            self._answer(200, str(self.server.sent).encode())
            return
        _wait(self.server.delay)
        path = urlsplit(self.path).path
        match = _PATH.fullmatch(path)
        if path == "/v2/":
            self._answer(200, b"{}")
        elif match is None:
            self._answer(404, b"{}")
        elif match["kind"] == "manifests":
            self._manifest(match["reference"])
        elif self.server.elsewhere is not None:
            self._answer(307, b"", Location=f"{self.server.elsewhere}{path}")
        else:
            self._blob(match["reference"])

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""

    def _manifest(self, reference: str) -> None:
        body = (self.server.folder / "manifests" / reference).read_bytes()
        self._answer(
            200,
            body,
            Content_Type=json.loads(body)["mediaType"],
            Docker_Content_Digest=f"sha256:{hashlib.sha256(body).hexdigest()}",
        )

    def _blob(self, digest: str) -> None:
        with (self.server.folder / "blobs" / digest).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            start, end = parse_range(self.headers.get("Range"), size) or (0, size)
            self._head(
                206 if self.headers.get("Range") else 200,
                Content_Length=str(end - start),
                Content_Range=f"bytes {start}-{end - 1}/{size}",
                Content_Type="application/octet-stream",
                Accept_Ranges="bytes",
                ETag=f'"{digest}"',
            )
            if self.command == "GET":
                self._send(file.fileno(), start, end)

    def _send(self, fd: int, start: int, end: int) -> None:
        while start < end:
            step = min(STEP, end - start)
            self.server.total.take(step)
            self._allowance.take(step)
            self.server.count(step)  # first: who has read all must find it counted
            try:
                sent = os.sendfile(self.connection.fileno(), fd, start, step)
            except ConnectionError:
                sent = 0
                self.close_connection = True
            self.server.count(sent - step)
            if not sent:
                return
            start += sent

    def _answer(self, status: int, body: bytes, **fields: str) -> None:
        self._head(status, Content_Length=str(len(body)), **fields)
        if self.command == "GET":
            self.wfile.write(body)

    def _head(self, status: int, **fields: str) -> None:
        self.send_response(status)
        for name, value in fields.items():
            if name != "Content_Range" or status == 206:
                self.send_header(name.replace("_", "-"), value)
        self.end_headers()


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Bytes [start, end) of a ``Range`` with one part, or None where there is none."""
    match = _RANGE.fullmatch(header or "")
    if match is None:
        return None
    last = int(match[2]) if match[2] else size - 1
    return int(match[1]), min(last + 1, size)


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(prog="python -m bench.hub", description=__doc__)
    parser.add_argument("folder", type=Path, help="holds blobs/DIGEST and manifests/REFERENCE")
    parser.add_argument("--total", type=float, help="bytes of blobs a second, in all")
    parser.add_argument("--each", type=float, help="bytes a second of one connection")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    options = parser.parse_args()
    slow = {"total": options.total, "each": options.each, "delay": options.delay}
    blobs = Server(options.folder, **slow)
    registry = Server(options.folder, elsewhere=blobs.url, delay=options.delay)
    blobs.start()
    print(f"serving {registry.url} {blobs.url}", flush=True)
    registry.serve_forever()


if __name__ == "__main__":
    main()
