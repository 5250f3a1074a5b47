"""Operations over a real socket: JSON in, lines of JSON out."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from hubmirror.control.operations import Operations
from tests.conftest import LoggedFailures
from tests.control.caches import IMAGE, Cache

Serve = Callable[[Operations], Path]
InThread = Callable[..., Deferred[Any]]


def post(path: Path, target: str, body: bytes, files: list[int] | None = None) -> tuple[int, bytes]:
    """The status and the body of an answer, read to the connection's end."""
    with connected(path, files or []) as client:
        client.sendall(
            b"POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (target.encode(), len(body), body)
        )
        return answer(client)


def connected(path: Path, files: list[int]) -> socket.socket:
    """A client that has sent these files."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    client.connect(str(path))
    if files:
        socket.send_fds(client, [b"\r\n"], files)
    return client


def answer(client: socket.socket) -> tuple[int, bytes]:
    """What comes until the server hangs up, its chunks put together."""
    data = b""
    while more := client.recv(65536):
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    if b"chunked" in head:
        whole = b""
        while body:
            size, _, body = body.partition(b"\r\n")
            whole, body = whole + body[: int(size, 16)], body[int(size, 16) + 2 :]
        body = whole
    return int(head.split()[1]), body


def lines(body: bytes) -> list[dict[str, Any]]:
    """The reports."""
    return [json.loads(line) for line in body.splitlines()]


#: The last line of what has come to its end.
END = {"event": "end"}


@pytest_twisted.inlineCallbacks
def test_reports(serve: Serve, in_thread: InThread) -> Any:
    """One a line."""
    path = serve(Cache().operations())

    status, body = yield in_thread(post, path, "/cache/ls", b"{}")

    assert status == 200
    image, end = lines(body)
    assert end == END
    assert (image["event"], image["tag"]) == ("image", "1")


@pytest_twisted.inlineCallbacks
def test_the_quota(serve: Serve, in_thread: InThread) -> Any:
    """It is no operation on the cache."""
    path = serve(Cache().operations())

    status, body = yield in_thread(post, path, "/quota", b"")

    assert status == 200
    assert lines(body) == [{"event": "quota", "quota": {"limit": 100, "used": 7}}, END]
    status, _body = yield in_thread(post, path, "/cache/quota", b"")
    assert status == 404


@pytest_twisted.inlineCallbacks
def test_files_come_along(serve: Serve, in_thread: InThread, tmp_path: Path) -> Any:
    """The operation writes to the file that the client has opened, whatever its name is."""
    path = serve(Cache().operations(in_thread))
    file = os.open(tmp_path / "x.tar", os.O_RDWR | os.O_CREAT)
    os.unlink(tmp_path / "x.tar")

    arguments = json.dumps({"images": ["busybox:1"]}).encode()
    _status, body = yield in_thread(post, path, "/cache/export", arguments, [file])

    assert lines(body)[-2]["event"] == "exported"
    assert os.fstat(file).st_size > sum(blob.size for blob in IMAGE.blobs)
    os.close(file)


@pytest_twisted.inlineCallbacks
@pytest.mark.parametrize(
    ("target", "body", "status"),
    [
        ("/cache/show", b"{}", 400),
        ("/cache/show", b"[]", 400),
        ("/cache/show", b"{", 400),
        ("/cache/ls", b'{"images": ["' + b"x" * (1 << 20) + b'"]}', 400),
        ("/cache/ls/more", b"{}", 404),
        ("/cache/eat", b"{}", 404),
        ("/cache", b"{}", 404),
        ("/", b"{}", 404),
    ],
)
def test_wrong_requests(
    serve: Serve, in_thread: InThread, target: str, body: bytes, status: int
) -> Any:
    """They are refused before anything begins."""
    path = serve(Cache().operations())

    got, _body = yield in_thread(post, path, target, body)

    assert got == status


@pytest_twisted.inlineCallbacks
def test_what_ends_early(serve: Serve, in_thread: InThread) -> Any:
    """It is told on the last line."""
    path = serve(Cache().operations())

    status, body = yield in_thread(post, path, "/cache/show", b'{"images": ["busybox:2"]}')

    assert status == 200
    (error,) = lines(body)
    assert error["event"] == "error"
    assert "nothing is kept" in error["message"]


@pytest_twisted.inlineCallbacks
def test_a_defect(serve: Serve, in_thread: InThread, logged_failures: LoggedFailures) -> Any:
    """The client learns that there is one, the log which."""
    cache = Cache()
    path = serve(cache.operations())
    cache.index.pins = lambda: 1 / 0  # type: ignore[assignment,method-assign,return-value]

    _status, body = yield in_thread(post, path, "/cache/ls", b"{}")

    assert lines(body) == [{"event": "error", "message": "the mirror failed: see its log"}]
    assert len(logged_failures.take(ZeroDivisionError)) == 1


@pytest_twisted.inlineCallbacks
def test_a_client_that_leaves(serve: Serve, in_thread: InThread, reactor: Any) -> Any:
    """Its leaving ends what it has begun."""
    cache, cancelled = Cache(), []
    cache.puller.waiting = Deferred(lambda waiting: cancelled.append(waiting))
    path = serve(cache.operations())

    def leave_early() -> bytes:
        with connected(path, []) as client:
            body = b'{"images": ["busybox"]}'
            client.sendall(
                b"POST /pull HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"
                % (len(body), body)
            )
            data = b""
            while b"progress" not in data:
                data += client.recv(65536)
            return data

    yield in_thread(leave_early)
    for _ in range(200):
        if cancelled:
            break
        yield deferLater(reactor, 0.005, lambda: None)

    assert cancelled == [cache.puller.waiting]
