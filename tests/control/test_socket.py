"""Where the daemon listens for operators."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hubmirror.control.operations import Operations
from hubmirror.control.site import make_site
from hubmirror.control.socket import ControlSocketError, listen, path_of, socket_path
from tests.control.caches import Cache


def test_nobody_else_may_connect(serve: Callable[[Operations], Path]) -> None:
    """The socket is its owner's."""
    path = serve(Cache().operations())

    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_ISSOCK(os.stat(path).st_mode)


def test_a_socket_without_its_daemon(tmp_path: Path, serve: Callable[[Operations], Path]) -> None:
    """What a killed daemon has left is replaced."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "control.sock"))

    path = serve(Cache().operations())

    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_folder_with_a_long_name(tmp_path: Path) -> None:
    """What does not fit into a socket's address is told so."""
    with pytest.raises(ControlSocketError, match="too long"):
        socket_path(tmp_path / ("x" * 100))


def test_a_folder_that_is_not_there(tmp_path: Path, reactor: Any) -> None:
    """It can't be listened there."""
    with pytest.raises(ControlSocketError, match="cannot listen"):
        listen(reactor, tmp_path / "none", make_site(Cache().operations(), reactor))


def test_paths() -> None:
    """Each operation has its own."""
    assert path_of("ls") == "/cache/ls"
    assert path_of("pull") == "/pull"
    assert path_of("quota") == "/quota"
