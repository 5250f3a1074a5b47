"""Who listens, and who is the mirror."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from hubmirror.control.socket import SOCKET
from hubmirror.doctor.processes import Process, Processes, daemon_pid


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """A socket of this process that listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_who_listens(listening: socket.socket) -> None:
    """Here it is this very process."""
    port = listening.getsockname()[1]

    assert os.getpid() in [one.pid for one in Processes().listeners(port)]


def test_nobody_listens(listening: socket.socket) -> None:
    """On a port that was let go."""
    port = listening.getsockname()[1]
    listening.close()

    assert Processes().listeners(port) == []


def test_the_daemon_is_known_by_its_socket(tmp_path: Path) -> None:
    """Whoever listens there holds the folder; a socket that is left over has nobody."""
    assert daemon_pid(tmp_path) is None
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / SOCKET))
        server.listen()
        assert daemon_pid(tmp_path) == os.getpid()
    assert daemon_pid(tmp_path) is None
    assert daemon_pid(Path("/" + "long/" * 40)) is None


def process(proc: Path, pid: int, parent: int, command: str, limit: str = "") -> None:
    """A process as ``/proc`` shows it, its name with what names may have in them."""
    folder = proc / str(pid)
    folder.mkdir()
    (folder / "stat").write_text(f"{pid} (a ) b) S {parent} 0 0")
    (folder / "comm").write_text("a ) b\n")
    (folder / "cmdline").write_text(command)
    (folder / "limits").write_text(limit)


def test_the_family(tmp_path: Path) -> None:
    """A keeper's supervisor, and its workers; of a lone daemon's shell nobody."""
    process(tmp_path, 1, 0, "init")
    process(tmp_path, 10, 1, "python\0/bin/hubmirror\0serve")
    process(tmp_path, 11, 10, "python\0hubmirror")
    process(tmp_path, 12, 10, "python\0hubmirror")
    process(tmp_path, 20, 1, "python\0/bin/hubmirror\0serve")

    assert Processes(tmp_path).family(11) == {10, 11, 12}
    assert Processes(tmp_path).family(20) == {20}
    assert Processes(tmp_path).family(99) == {99}


def test_sockets_of_systemd(tmp_path: Path) -> None:
    """Handed to the mirror at its start, or to the supervisor of its processes."""
    process(tmp_path, 10, 1, "hubmirror")
    process(tmp_path, 11, 10, "hubmirror")
    process(tmp_path, 12, 1, "hubmirror")
    (tmp_path / "10/environ").write_text("HOME=/\0LISTEN_FDS=1\0")

    assert Processes(tmp_path).has_sockets_of_systemd(10)
    assert Processes(tmp_path).has_sockets_of_systemd(11)
    assert not Processes(tmp_path).has_sockets_of_systemd(12)


def test_open_files(tmp_path: Path) -> None:
    """The soft limit and the hard one."""
    process(tmp_path, 1, 0, "", "Limit  Soft  Hard\nMax open files   1024   524288   files\n")

    assert Processes(tmp_path).open_files(1) == (1024, 524288)
    assert Processes(tmp_path).open_files(2) is None


def test_nothing_is_told(tmp_path: Path) -> None:
    """On another system."""
    processes = Processes(tmp_path / "none")

    assert processes.listeners(80) == []
    assert processes.family(1) == {1}
    assert Process(1, "a") == Process(1, "a")
