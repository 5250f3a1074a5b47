"""Asking the running daemon."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from hubmirror.cli.operating.failures import OperationFailed
from hubmirror.cli.operating.remote import ask_daemon
from hubmirror.control.operations import Operations
from tests.control.caches import Cache

Serve = Callable[[Operations], Path]
InThread = Callable[..., Deferred[Any]]


@pytest_twisted.inlineCallbacks
def test_reports_are_taken(serve: Serve, in_thread: InThread) -> Any:
    """Each as it came."""
    taken: list[Mapping[str, Any]] = []
    path = serve(Cache().operations())

    done = yield in_thread(ask_daemon, path, "pull", {"images": ["a"]}, [], taken.append)

    assert done is True
    assert [report["event"] for report in taken] == ["progress", "pulled"]


@pytest_twisted.inlineCallbacks
def test_files_go_along(serve: Serve, in_thread: InThread, tmp_path: Path) -> Any:
    """What the daemon writes is in the file that was opened here."""
    taken: list[Mapping[str, Any]] = []
    path = serve(Cache().operations(in_thread))
    file = os.open(tmp_path / "x.tar", os.O_WRONLY | os.O_CREAT)

    values = {"images": ["busybox:1"]}
    yield in_thread(ask_daemon, path, "export", values, [file], taken.append)
    os.close(file)

    assert taken[-1]["event"] == "exported"
    assert (tmp_path / "x.tar").stat().st_size > taken[-1]["size"]


@pytest_twisted.inlineCallbacks
@pytest.mark.parametrize("images", [[], ["busybox:2"]])
def test_errors(serve: Serve, in_thread: InThread, images: list[str]) -> Any:
    """Both of arguments that are refused and of what ends early."""
    path = serve(Cache().operations())

    with pytest.raises(OperationFailed, match=r"one image is needed|nothing is kept"):
        yield in_thread(ask_daemon, path, "show", {"images": images}, [], print)


@pytest.mark.parametrize("was_there", [False, True])
def test_no_daemon(tmp_path: Path, was_there: bool) -> None:
    """Neither without a socket nor with one that a killed daemon has left."""
    path = tmp_path / "control.sock"
    if was_there:
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))

    assert ask_daemon(path, "ls", {}, [], print) is False


@pytest_twisted.inlineCallbacks
def test_a_daemon_that_dies(tmp_path: Path, in_thread: InThread) -> Any:
    """What it has said until then is taken; that it broke off is told."""
    taken: list[Mapping[str, Any]] = []
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "control.sock"))
    server.listen()

    def answer_half() -> None:
        client, _ = server.accept()
        asked = b""
        while not asked.endswith(b"{}"):
            asked += client.recv(65536)
        line = b'{"event": "progress"}\n'
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        client.sendall(head + b"%x\r\n%s\r\n" % (len(line), line))
        client.close()

    serving = in_thread(answer_half)
    with pytest.raises(OperationFailed, match="broke off"):
        yield in_thread(ask_daemon, tmp_path / "control.sock", "ls", {}, [], taken.append)
    yield serving
    server.close()

    assert taken == [{"event": "progress"}]
