"""``hubmirror pull``: arguments in, operations out."""

from __future__ import annotations

import io
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hubmirror.cli import pull
from hubmirror.cli.operating import command


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, object]]:
    """What a daemon that listens everywhere is asked."""
    asked: list[Mapping[str, object]] = []

    def ask(_path: Path, name: str, values: Mapping[str, object], *_: Any) -> bool:
        assert name == "pull"
        asked.append(values)
        return True

    monkeypatch.setattr(command, "ask_daemon", ask)
    return asked


def test_images(asked: list[Mapping[str, object]], tmp_path: Path) -> None:
    """For the platforms that are named, however often and with commas."""
    names = ["--platform", "linux/amd64,linux/arm64", "--platform", "linux/386"]

    assert pull.main(["a", "b:1", *names, "--data", str(tmp_path)]) == 0

    assert asked == [
        {"images": ["a", "b:1"], "platforms": ["linux/amd64", "linux/arm64", "linux/386"]}
    ]


def test_file(asked: list[Mapping[str, object]], tmp_path: Path) -> None:
    """Its lines without comments and blanks come after the arguments."""
    (tmp_path / "list").write_text("# ours\nb:1\n\n  c@sha256:1 # pinned\n")

    pull.main(["a", "--file", str(tmp_path / "list"), "--data", str(tmp_path)])

    assert asked[0]["images"] == ["a", "b:1", "c@sha256:1"]


def test_standard_input(
    asked: list[Mapping[str, object]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is ``-``."""
    monkeypatch.setattr("sys.stdin", io.StringIO("a\nb\n"))

    pull.main(["--file", "-", "--data", str(tmp_path)])

    assert asked[0]["images"] == ["a", "b"]


@pytest.mark.parametrize("arguments", [[], ["--file", "/none/list"], ["--eat"]])
def test_wrong_usage(asked: list[Mapping[str, object]], arguments: list[str]) -> None:
    """The status is 2, before anybody is asked."""
    with pytest.raises(SystemExit) as ended:
        pull.main(arguments)
    assert ended.value.code == 2
    assert asked == []


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        ("x86_64", "linux/amd64"),
        ("aarch64", "linux/arm64"),
        ("armv7l", "linux/arm/v7"),
        ("riscv64", "linux/riscv64"),
    ],
)
def test_own_platform(
    asked: list[Mapping[str, object]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    machine: str,
    expected: str,
) -> None:
    """Without any it is this machine's, in the words of images."""
    monkeypatch.setattr(platform, "machine", lambda: machine)

    pull.main(["a", "--data", str(tmp_path)])

    assert asked[0]["platforms"] == [expected]


def test_no_daemon(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """At rest nobody asks the upstream: how to change that is told."""
    assert pull.main(["a", "--data", str(tmp_path)]) == 1
    assert "hubmirror serve" in capsys.readouterr().err
