"""The processes of this machine, by Linux' /proc: whether the mirror runs, and who has a port."""

from __future__ import annotations

import os
import re
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from attrs import frozen

from hubmirror.control.socket import ControlSocketError, socket_path

__all__ = ["Process", "Processes", "daemon_pid"]

_LISTENING: Final = "0A"
_LIMIT: Final = re.compile(r"^Max open files\s+(\d+)\s+(\d+)", re.MULTILINE)


@frozen
class Process:
    """A process, and the name of its program."""

    pid: int
    name: str


def daemon_pid(data: Path) -> int | None:
    """The process that answers for the data folder, by its socket; None where none does."""
    try:
        path = str(socket_path(data))
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(1)
            connection.connect(path)
            told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    except (OSError, ControlSocketError):
        return None
    pid: int = struct.unpack("3i", told)[0]
    return pid


class Processes:
    """What ``/proc``, or a folder like it, tells; nothing where it tells nothing."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc

    def listeners(self, port: int) -> list[Process]:
        """Who listens on the TCP ``port``, as far as that can be seen."""
        sockets = {f"socket:[{inode}]" for inode in self._inodes(port)}
        found = (self._process(pid) for pid in self._pids() if self._has(pid, sockets))
        return [one for one in found if one is not None]

    def family(self, pid: int) -> set[int]:
        """The mirror's processes: ``pid``, and the supervisor above it with all that it began."""
        above = self._parent(pid)
        if above is None or not self._is_mirror(above):
            return {pid}
        return {above, *(one for one in self._pids() if self._parent(one) == above)}

    def has_sockets_of_systemd(self, pid: int) -> bool:
        """Whether one of the mirror's processes was handed sockets: it listens on these."""
        return any("\0LISTEN_FDS=" in "\0" + self._text(one, "environ") for one in self.family(pid))

    def open_files(self, pid: int) -> tuple[int, int] | None:
        """How many files the process may have open, and may let itself have; None if unknown."""
        match = _LIMIT.search(self._text(pid, "limits"))
        return None if match is None else (int(match[1]), int(match[2]))

    def _inodes(self, port: int) -> Iterator[str]:
        for table in ("tcp", "tcp6"):
            for line in self._text("net", table).splitlines()[1:]:
                row = line.split()
                if row[3] == _LISTENING and int(row[1].rpartition(":")[2], 16) == port:
                    yield row[9]

    def _pids(self) -> list[int]:
        try:
            return [int(name) for name in os.listdir(self._proc) if name.isdigit()]
        except OSError:
            return []

    def _has(self, pid: int, sockets: set[str]) -> bool:
        folder = self._proc / str(pid) / "fd"
        with suppress(OSError):  # it has ended, or is somebody else's
            for name in os.listdir(folder):
                with suppress(OSError):
                    if os.readlink(folder / name) in sockets:
                        return True
        return False

    def _process(self, pid: int) -> Process | None:
        name = self._text(pid, "comm").strip()
        return Process(pid, name) if name else None

    def _parent(self, pid: int) -> int | None:
        fields = self._text(pid, "stat").rpartition(")")[2].split()
        return int(fields[1]) if len(fields) > 1 else None

    def _is_mirror(self, pid: int) -> bool:
        return "hubmirror" in self._text(pid, "cmdline")

    def _text(self, *parts: object) -> str:
        try:
            return self._proc.joinpath(*map(str, parts)).read_text(errors="replace")
        except OSError:
            return ""
