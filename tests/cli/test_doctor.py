"""``hubmirror doctor``, as a user runs it, where there is no network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hubmirror.cli.doctor import main


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    ours = {name: value for name, value in os.environ.items() if not name.upper().endswith("PROXY")}
    return subprocess.run(
        [sys.executable, "-m", "hubmirror", "doctor", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=ours,
        timeout=60,
    )


def test_failures_are_told_in_text_and_in_the_status(tmp_path: Path) -> None:
    """An upstream that nobody is at; the other checks go on."""
    path = tmp_path / "x.toml"
    path.write_text('upstream = "http://127.0.0.1:1"\nhttp = "127.0.0.1:0"\n')

    ended = run("--config", path, "--data", tmp_path / "data", "--root", tmp_path)

    assert ended.returncode == 2, ended.stderr
    assert "fail  reach        127.0.0.1 refused the connection" in ended.stdout
    assert "ok    disk" in ended.stdout
    assert ":0" not in ended.stdout.replace("127.0.0.1:0 is free", "")
    assert "1 failure" in ended.stdout.splitlines()[-1]
    assert ended.stderr == ""


def test_json_from_a_client(tmp_path: Path) -> None:
    """A mirror that is not there."""
    where = ("--from-client", "--host", "http://127.0.0.1:1", "--root", tmp_path)

    ended = run(*where, "--json")

    assert ended.returncode == 2, ended.stderr
    told = json.loads(ended.stdout)
    assert told["severity"] == "fail"
    checks = [one["check"] for one in told["findings"]]
    assert checks[:2] == ["name", "reach"]
    assert "disk" not in checks  # which is the mirror's


def test_a_ca_that_is_none(tmp_path: Path) -> None:
    """It is a finding as any other."""
    ca = tmp_path / "ca"
    ca.write_text("no certificate")

    ended = run("--from-client", "--host", "https://127.0.0.1:1", "--ca", ca)

    assert ended.returncode == 2
    assert "fail  ca" in ended.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["--host", "https://hub.example"],
        ["--from-client", "--host", "hub.example"],
        *(["--seconds", seconds] for seconds in ("0", "-1", "nan", "soon")),
    ],
)
def test_arguments_that_make_no_sense(arguments: list[str]) -> None:
    """The mirror itself knows its upstream; a host is a URL; time is not negative."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2


def test_a_login_is_a_file_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What others may read is refused; nothing of it is told."""
    login = tmp_path / "login"
    login.write_text("alice:wonderland")
    login.chmod(0o644)

    with pytest.raises(SystemExit) as ended:
        main(["--from-client", "--host", "https://hub.example", "--login", str(login)])

    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert "chmod 600" in told
    assert "wonderland" not in told


def test_an_image_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A sentence, and nothing is looked at."""
    asked = ["--from-client", "--host", "https://hub.example", "--image", "NOT AN IMAGE"]

    assert main(asked) == 2
    assert "is not the name of an image" in capsys.readouterr().err
