"""Other programs, run as a user runs them: found, started, read line by line, ended by pid."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from tests.support.waiting import wait_until

__all__ = ["Program", "find_program", "resident_bytes", "run"]

#: Daemons live in ``sbin``, which is not on every user's path.
_PATH = f"/usr/sbin:/usr/bin:/sbin:/bin:{os.environ.get('PATH', '')}"
#: All here is on loopback: what the environment says of proxies is not for it.
_PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"}
_ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name.upper() not in _PROXIES},
    "PATH": _PATH,
    "PYTHONUNBUFFERED": "1",
}


def find_program(name: str) -> str:
    """The path of the program called ``name``; its absence is a failure, never a skip."""
    path = shutil.which(name, path=_PATH)
    assert path is not None, f"{name} is not installed: `make test` installs it on Debian"
    return path


def run(
    *arguments: str | Path,
    env: Mapping[str, str] | None = None,
    status: int | None = 0,
    stdin: str = "",
    cwd: Path | None = None,
    seconds: float = 60,
) -> str:
    """Run a program to its end; returns what it printed, standard error included.

    Raises ``AssertionError`` when it ends with another status than ``status`` (None: with 0).
    """
    finished = subprocess.run(
        [find_program(str(arguments[0])), *map(str, arguments[1:])],
        env={**_ENVIRONMENT, **(env or {})},
        input=stdin,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    as_expected = finished.returncode == status if status is not None else finished.returncode
    assert as_expected, f"{arguments[0]} ended with {finished.returncode}:\n{finished.stdout}"
    return finished.stdout


def resident_bytes(pid: int) -> int:
    """The resident set of process ``pid`` now, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    match = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    assert match is not None, status
    return int(match[1]) * 1024


class Program:
    """A program that runs in the background, in a session of its own, its output in ``log``."""

    def __init__(
        self,
        arguments: Sequence[str | Path],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self._log = log
        self._output: IO[bytes] = log.open("ab")
        self._begin = self._output.tell()
        self._process = subprocess.Popen(
            [find_program(str(arguments[0])), *map(str, arguments[1:])],
            env={**_ENVIRONMENT, **(env or {})},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """How it ended, as ``Popen.returncode`` says it; None while it runs."""
        return self._process.poll()

    def text(self) -> str:
        """All that it has printed so far; not what others wrote into ``log`` before it."""
        return self._log.read_bytes()[self._begin :].decode(errors="replace")

    def wait_for_line(self, pattern: str, *, seconds: float = 30) -> re.Match[str]:
        """The first match of ``pattern`` in what it prints; fails at once if it ends before."""

        def look() -> re.Match[str] | None:
            is_running = self.status is None  # asked first: it may print and end between
            whole_lines = self.text().rpartition("\n")[0]
            match = re.search(pattern, whole_lines, re.MULTILINE)
            assert match or is_running, f"ended with {self.status}:\n{self.text()}"
            return match

        what = f"a line that matches {pattern}"
        match = wait_until(look, what, seconds=seconds, context=self.text)
        assert match is not None
        return match

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def wait(self, *, seconds: float = 30) -> int:
        """Its exit status, once it has ended."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs after {seconds:g} s:\n{self.text()}") from None
        finally:
            self._output.close()

    def stop(self) -> None:
        """End it and what it started: by SIGTERM, then, after 15 seconds, by SIGKILL."""
        if self.status is None:
            self.signal(signal.SIGTERM)
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(self.pid, signal.SIGKILL)
                self._process.wait()
        self._output.close()
