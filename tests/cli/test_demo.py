"""``hubmirror demo`` as a user runs it: a process that leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from hubmirror.cli.demo import main

COMMAND = [sys.executable, "-m", "hubmirror", "demo"]
STEPS = ["hub", "mirror", "challenge", "realm", "token", "index", "manifest", "config"]
STEPS += ["redirect", "layer", "digests", "quota"]


def children_of(pid: int) -> list[int]:
    """The process ids of a process's children."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


def is_alive(pid: int) -> bool:
    """Whether there is such a process."""
    return os.path.exists(f"/proc/{pid}")


@pytest.fixture
def running() -> Iterator[subprocess.Popen[str]]:
    """The demo without ``--once``, up to the word that it stays."""
    process = subprocess.Popen(COMMAND, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if "runs until Ctrl-C" in line:
                break
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_once_takes_all_steps() -> None:
    """``--once`` prints every step in order and ends with 0."""
    done = subprocess.run([*COMMAND, "--once"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == STEPS
    assert done.stderr == ""
    assert re.search(r"hello:latest is sha256:[0-9a-f]{64}, for linux/amd64", done.stdout)
    assert re.search(r"quota +\d+ of 100000 requests used", done.stdout)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_ends_the_mirror_too(running: subprocess.Popen[str], number: int) -> None:
    """The mirror stays until a signal, and is gone before the demo is."""
    (child,) = children_of(running.pid)
    running.send_signal(number)
    assert running.wait(timeout=30) == 0
    assert not is_alive(child)


def test_mirror_that_dies_is_told(running: subprocess.Popen[str]) -> None:
    """The demo ends with 1 and says so when its mirror is killed."""
    (child,) = children_of(running.pid)
    os.kill(child, signal.SIGKILL)
    assert running.stdout is not None
    assert "failed: the mirror ended" in running.stdout.read()
    assert running.wait(timeout=30) == 1


def test_taken_port_is_a_clear_failure() -> None:
    """A mirror that can't listen is one line with its cause, and 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = subprocess.run(
            [*COMMAND, "--once", "--http", address], capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 1
    assert "failed: the mirror ended" in done.stdout
    assert address in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_unknown_option(capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong option is a usage error."""
    with pytest.raises(SystemExit) as caught:
        main(["--twice"])
    assert caught.value.code == 2
    assert "--once" in capsys.readouterr().err
