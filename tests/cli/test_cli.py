"""Tests of the command's choice of a verb."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hubmirror.cli import main


@pytest.mark.parametrize("arguments", [[], ["--help"], ["help"], ["-h"]])
def test_help_has_a_line_for_each_verb(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """Usage goes to stdout, with success."""
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert out.startswith("Usage: hubmirror VERB")
    for verb in ("check", "serve"):
        assert f"\n  {verb} " in out


def test_an_unknown_verb_names_the_nearest_one(capsys: pytest.CaptureFixture[str]) -> None:
    """It ends with 2."""
    assert main(["srve"]) == 2
    assert "'srve'; did you mean serve?" in capsys.readouterr().err


def test_an_odd_verb_is_told_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    """Where none is near, each is named."""
    assert main(["x/../y"]) == 2
    assert "check" in capsys.readouterr().err


def test_a_verb_gets_what_follows_it(capsys: pytest.CaptureFixture[str]) -> None:
    """The arguments after the verb are the verb's."""
    assert main(["check", "--quota", "77"]) == 0
    assert "77" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """``--version`` needs no verb."""
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert not caught.value.code
    assert capsys.readouterr().out.startswith("hubmirror")


def test_the_command_imports_the_verb_alone() -> None:
    """Neither the web server nor the client is loaded for a look at the configuration."""
    code = (
        "import sys; from hubmirror.cli import main; main(['check']);"
        "print(*{'treq', 'twisted.web', 'twisted.internet.reactor'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == ""


def test_a_reader_that_has_enough(tmp_path: Path) -> None:
    """``hubmirror check | head -1``: whoever reads may go, and nothing is said of it."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "hubmirror", "check", "--data", str(tmp_path)]
    ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False, text=True)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (1, "")
