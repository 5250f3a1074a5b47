"""Tests of ``hubmirror serve`` up to the point where the daemon takes over."""

from __future__ import annotations

import pytest
from twisted.scripts import twistd

from hubmirror.cli import serve


def test_a_bad_configuration_never_reaches_twistd(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All problems on stderr, nothing else said, and 2."""
    monkeypatch.setattr(twistd, "run", lambda: pytest.fail("twistd was started"))
    with pytest.raises(SystemExit) as caught:
        serve.main(["--quota", "x", "--retries=99"])
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split(":")[1] for line in err.splitlines()] == [" quota", " retries"]


def test_help_speaks_of_this_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The synopsis has no word of ``twistd``."""
    with pytest.raises(SystemExit) as caught:
        serve.main(["--help"])
    assert not caught.value.code
    assert capsys.readouterr().out.startswith("Usage: hubmirror serve [options]")


def test_the_daemon_is_that_of_twistd(monkeypatch: pytest.MonkeyPatch) -> None:
    """``twistd`` runs it in the foreground, without a pid file, with the same options."""
    argv = ["hubmirror", "serve", "--quota", "5"]
    started: list[list[str]] = []
    monkeypatch.setattr("sys.argv", argv)
    monkeypatch.setattr(twistd, "run", lambda: started.append(list(argv)))
    assert serve.main(["--quota", "5"]) == 0
    assert started == [["hubmirror", "--nodaemon", "--pidfile=", "hubmirror", "--quota", "5"]]
