"""Tests of ``hubmirror check``, as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hubmirror.cli.check import main
from hubmirror.config import SETTINGS


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """``hubmirror check`` in a process of its own."""
    ours = {name: value for name, value in os.environ.items() if not name.endswith("_PROXY")}
    return subprocess.run(
        [sys.executable, "-m", "hubmirror", "check", *arguments],
        capture_output=True,
        text=True,
        env={**ours, **environ},
        timeout=60,
    )


def test_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each setting: key, value, source."""
    path = tmp_path / "x.toml"
    path.write_text("quota = 5")
    assert main(["--config", str(path), "--http", ":1", "--http", "[::1]:2"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["KEY", "VALUE", "FROM"]
    cells = {row.split()[0]: [cell.strip() for cell in row.split("  ") if cell] for row in rows}
    assert list(cells) == [setting.name for setting in SETTINGS]
    assert cells["quota"] == ["quota", "5", f"file {path}"]
    assert cells["http"] == ["http", ":1, [::1]:2", "flag --http"]
    assert cells["stall_timeout"] == ["stall_timeout", "30s", "default"]
    assert cells["certificate"] == ["certificate", "-", "default"]
    assert cells["library_prefix"] == ["library_prefix", "auto", "default"]


def test_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the file has as tables has a line for each; what files hold is not shown."""
    path = tmp_path / "x.toml"
    for name, secret in (
        ("hook", "https://chat.example/s3cret"),
        ("token", "s3cret-of-16-characters"),
    ):
        (tmp_path / name).write_text(secret)
        (tmp_path / name).chmod(0o600)
    path.write_text(
        '[quota]\nday = 7\nwebhook = "hook"\n[[quota.client]]\nnetwork = "ci"\n'
        'requests_per_day = 20000\nbytes_per_minute = "1KiB"\n'
        '[[quota.client]]\nuser = "alice"\nrequests_per_day = 0\n'
        "[[quota.client]]\nrequests_per_minute = 9\n"
        '[[quota.reserve]]\nshare = "12.5%"\nnetworks = "ci"\nusers = "alice"\n'
        '[networks]\nci = ["10.1.0.0/16", "::1"]\ndev = "10.2.0.0/16"\n[monitor]\ntoken = "token"\n'
    )
    assert main(["--config", str(path)]) == 0
    out = capsys.readouterr().out
    rows = [[cell.strip() for cell in row.split("  ") if cell] for row in out.splitlines()]
    source, tables = f"file {path}", rows.index(["quota", "7", f"file {path}"])
    assert rows[tables + 3 : tables + 9] == [
        ["quota_client", "network ci: 20000 requests per day, 1024 bytes per minute", source],
        ["user alice: no limit"],
        ["each address: 9 requests per minute"],
        ["quota_reserve", "12.5%: network ci, user alice", source],
        ["networks", "ci: 10.1.0.0/16, ::1/128", source],
        ["dev: 10.2.0.0/16"],
    ]
    assert ["quota_webhook", str(tmp_path / "hook"), source] in rows
    assert "s3cret" not in out


def test_every_error_at_once(tmp_path: Path) -> None:
    """All of them on stderr, each with its key and what is allowed; the status is 2."""
    path = tmp_path / "x.toml"
    path.write_text('quota = "many"\nupstrem = "https://x"\n')
    done = run("--config", str(path), "--http", "5000", "--colour=red", HUBMIRROR_RETRIES="99")
    assert done.returncode == 2
    assert done.stdout == ""
    lines = sorted(line.removeprefix("hubmirror: ") for line in done.stderr.splitlines())
    assert [line.partition(":")[0] for line in lines] == [
        "--colour",
        "http",
        "quota",
        "retries",
        "upstrem",
    ]
    assert lines[3] == (
        "retries: 99 is out of range; allowed: a whole number from 0 to 10"
        " (variable HUBMIRROR_RETRIES)"
    )


def test_no_secret_is_shown() -> None:
    """The proxy is told without its credentials, right or wrong."""
    right = run(HTTPS_PROXY="http://user:s3cret@proxy.example.org:3128")
    assert right.returncode == 0
    assert "http://proxy.example.org:3128" in right.stdout
    wrong = run(HTTPS_PROXY="socks5://user:s3cret@proxy.example.org:3128")
    assert wrong.returncode == 2
    assert "HTTPS_PROXY" in wrong.stderr
    assert "s3cret" not in right.stdout + right.stderr + wrong.stdout + wrong.stderr
