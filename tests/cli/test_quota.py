"""``hubmirror quota``, as a user runs it."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hubmirror.cli import quota
from hubmirror.cli.operating import quota_source
from hubmirror.cli.operating.failures import OperationFailed
from hubmirror.quota.files import QuotaFiles
from tests.cli.operating.quota_status import status
from tests.support.programs import run
from tests.support.waiting import wait_until


class Enough(Exception):
    """Whoever watches has gone."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder at rest, in which nothing is counted yet."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    QuotaFiles.open(folder).close()
    return folder


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that listens everywhere."""

    def ask(_path: Path, name: str, _values: object, _files: object, take: Any) -> bool:
        assert name == "quota"
        take({"event": "quota", "quota": status()})
        return True

    monkeypatch.setattr(quota_source, "ask_daemon", ask)


def command(data: Path, *arguments: str) -> list[str]:
    """What a shell would run."""
    return [sys.executable, "-m", "hubmirror", "quota", *arguments, "--data", str(data)]


def test_text(daemon: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines that a person reads."""
    assert quota.main(["--data", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "25,000 of 100,000 requests, 75,000 left" in out
    assert "\x1b" not in out


def test_json(daemon: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The object itself, on one line."""
    assert quota.main(["--json", "--data", str(tmp_path)]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == status()


@pytest.mark.parametrize("arguments", [["now"], ["--eat"]])
def test_wrong_usage(arguments: list[str]) -> None:
    """The status is 2."""
    with pytest.raises(SystemExit) as ended:
        quota.main(arguments)
    assert ended.value.code == 2


@pytest.mark.parametrize("arguments", [[], ["--watch"], ["--watch", "--json"]])
def test_what_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """The status is 1, with a reason."""
    assert quota.main([*arguments, "--data", str(tmp_path / "none")]) == 1
    told = capsys.readouterr()
    assert told.err.startswith("hubmirror: there is no data folder")
    assert told.out == ""


def test_watching() -> None:
    """It is looked at each second; a daemon that is away for a while is waited for."""
    answers: list[Any] = [status(used=1), OperationFailed("gone\x1b"), status(used=2)]
    shown: list[tuple[int, str]] = []
    waits: list[float] = []

    def look() -> Mapping[str, Any]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if not answers:
            raise Enough

    with pytest.raises(Enough):
        quota.watch(look, wait, lambda told, why: shown.append((told["used"], why)))

    assert shown == [(1, ""), (1, r"gone\x1b"), (2, "")]
    assert waits == [1.0, 1.0, 1.0]


def test_at_rest(data: Path) -> None:
    """From a process of its own."""
    out = run(*command(data))
    assert out.startswith("No daemon runs")
    assert "0 of 100,000 requests, 100,000 left" in out
    assert json.loads(run(*command(data, "--json")))["used"] == 0


def watching(data: Path, *arguments: str, stdout: int) -> subprocess.Popen[bytes]:
    """``--watch`` in the background."""
    return subprocess.Popen(
        command(data, "--watch", *arguments), stdout=stdout, stderr=subprocess.PIPE
    )


def test_watching_lines(data: Path) -> None:
    """A line a second, and Ctrl-C ends it well."""
    process = watching(data, "--json", stdout=subprocess.PIPE)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(2)]
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert [json.loads(line)["used"] for line in lines] == [0, 0]
    assert (process.returncode, errors) == (0, b"")


def test_watching_blocks(data: Path) -> None:
    """What is no terminal gets no control characters."""
    process = watching(data, stdout=subprocess.PIPE)
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=20)
    assert first.startswith(b"No daemon runs")
    assert b"\x1b" not in rest
    assert (process.returncode, errors) == (0, b"")


@pytest.mark.parametrize(("number", "ending"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_watching_on_a_terminal(data: Path, number: signal.Signals, ending: int) -> None:
    """It is drawn from the top; however it ends, the cursor is there again."""
    ours, theirs = pty.openpty()
    process = watching(data, stdout=theirs)
    os.close(theirs)
    seen = b""

    def is_drawn() -> bool:
        nonlocal seen
        seen += os.read(ours, 65536)
        return b"starts anew" in seen

    wait_until(is_drawn, "the quota on the screen")
    process.send_signal(number)
    assert process.wait(20) == ending
    assert seen.startswith(b"\x1b[?25l\x1b[HNo daemon runs")
    assert os.read(ours, 65536).endswith(b"\x1b[?25h\r\n")
    os.close(ours)
    assert process.communicate()[1] == b""


@pytest.mark.parametrize("arguments", [(), ("--json",), ("--watch",), ("--watch", "--json")])
def test_who_reads_leaves(data: Path, arguments: tuple[str, ...]) -> None:
    """As ``head`` does: that is no failure, and nothing is said of it."""
    ours, theirs = os.pipe()
    os.close(ours)
    process = subprocess.Popen(
        command(data, *arguments), stdout=theirs, stderr=subprocess.PIPE, text=True
    )
    os.close(theirs)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
