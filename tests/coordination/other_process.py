"""A second process at the board, which does what it is told line by line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Other", "other_process"]

_LOOP = """
import sys, time
from pathlib import Path
from hubmirror.coordination.board import Board
from hubmirror.coordination.connections import BoardConnections
from hubmirror.coordination.leases import Lease, Leases
from hubmirror.coordination.versions import BoardVersions
board = Board(Path(sys.argv[1]))
print("ready", flush=True)
for line in sys.stdin:
    exec(line)
    print("done", flush=True)
"""


class Other:
    """It has a ``board``; what it is given is Python, a line at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._read()

    def begin(self, line: str) -> None:
        """Let it run ``line``, and don't wait."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def do(self, line: str) -> None:
        """Let it run ``line`` to its end."""
        self.begin(line)
        self._read()

    def wait(self) -> None:
        """For the end of what was begun."""
        self._read()

    def kill(self) -> None:
        """``kill -9``."""
        self._process.kill()
        self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline(), "the other process has ended"


@contextmanager
def other_process(path: Path) -> Iterator[Other]:
    """One over the board at ``path``."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", _LOOP, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            yield Other(process)
        finally:
            process.kill()
