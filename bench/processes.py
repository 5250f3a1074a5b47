"""The programs that are measured: started, awaited, weighed by their pid, and ended by it."""

from __future__ import annotations

import os
import re
import select
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Thread
from typing import IO, cast

__all__ = [
    "PYTHON",
    "ROOT",
    "Process",
    "clean_environment",
    "find_program",
    "free_port",
    "processor_seconds",
    "timed_run",
]

#: The checkout: the daemon that is measured is the one that lies beside this benchmark.
ROOT = Path(__file__).parent.parent
PYTHON = sys.executable

_TICK = 1 / os.sysconf("SC_CLK_TCK")
#: All here is on loopback, so proxies are left out; so is whatever would change how Python runs:
#: above all PYTHONDONTWRITEBYTECODE, for an installed daemon is compiled.
_ENVIRONMENT = {
    **{
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTHON") and not name.upper().endswith("_PROXY")
    },
    "PYTHONPATH": str(ROOT),
    "PYTHONUNBUFFERED": "1",
}


class Process:
    """A program in the background, with all that it starts. A context manager that ends it.

    ``began`` is when it was started, by ``time.perf_counter``; ``said`` is its output up to the
    line that was waited for.
    """

    def __init__(self, arguments: Sequence[str | Path]) -> None:
        self.said = ""
        self.began = time.perf_counter()
        self._process = subprocess.Popen(
            arguments,
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._output = cast("IO[str]", self._process.stdout)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait_for_line(self, pattern: str) -> re.Match[str]:
        """The first match of ``pattern`` in its output; what follows is read and forgotten.

        Raises ``RuntimeError`` with that output when it ends before.
        """
        for line in self._output:
            self.said += line
            match = re.search(pattern, line)
            if match is not None:
                Thread(target=self._forget_output, daemon=True).start()
                return match
        raise RuntimeError(f"{self._process.args!r} ended early:\n{self.said}")

    def wait_for_port(self, port: int) -> None:
        """Until a connection to ``port`` on loopback is accepted; ``RuntimeError`` if it ends."""
        while self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            select.select([], [], [], 0.01)
        raise RuntimeError(f"{self._process.args!r} ended early:\n{self._output.read()}")

    def cpu_seconds(self) -> float:
        """User and system time so far, of the process and its children; exact to 10 ms each."""
        return sum(_ticks(pid) for pid in _family(self._process.pid)) * _TICK

    def resident_mib(self) -> float:
        """The resident set of the process and its children now, in MiB."""
        return sum(_resident_kib(pid) for pid in _family(self._process.pid)) / 1024

    def stop(self) -> None:
        """SIGTERM, and its end awaited; after a minute, SIGKILL."""
        self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _forget_output(self) -> None:
        for _ in self._output:
            pass


def timed_run(arguments: Sequence[str | Path]) -> float:
    """How many seconds a program takes to its end, which must be a good one."""
    began = time.perf_counter()
    subprocess.run(arguments, env=_ENVIRONMENT, stdin=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def processor_seconds() -> float:
    """What this process has spent, and the programs that it has run to their end."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def clean_environment() -> dict[str, str]:
    """The environment of all that is started here."""
    return dict(_ENVIRONMENT)


def find_program(name: str) -> str:
    """The path of ``name``, also where daemons live; ``RuntimeError`` when it is missing."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if path is None:
        raise RuntimeError(f"{name} is not installed: `make bench` installs it on Debian")
    return path


def free_port() -> int:
    """A port of loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _family(pid: int) -> Iterator[int]:
    """The process and all that any of its threads has started, to the last grandchild."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from _family(int(child))


def _ticks(pid: int) -> int:
    """``utime`` and ``stime``, proc(5): the 14th and 15th field; the 2nd may hold spaces."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _resident_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) if found else 0
