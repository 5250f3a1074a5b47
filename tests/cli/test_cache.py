"""``hubmirror cache``: arguments in, operations out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from hubmirror.cli import cache
from hubmirror.cli.operating import command


class Daemon:
    """Takes the place of the socket's other end: notes what it is asked, and answers."""

    def __init__(self) -> None:
        self.asked: list[tuple[Path, str, Mapping[str, object]]] = []
        self.reports: list[Mapping[str, Any]] = []
        self.written: bytes | None = None

    def __call__(
        self,
        path: Path,
        name: str,
        values: Mapping[str, object],
        files: Sequence[int],
        take: Any,
    ) -> bool:
        """As ``ask_daemon``."""
        self.asked.append((path, name, values))
        for report in self.reports:
            take(report)
        if self.written is not None:
            os.write(files[0], self.written)
        return True


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Daemon:
    """One that listens everywhere."""
    daemon = Daemon()
    monkeypatch.setattr(command, "ask_daemon", daemon)
    return daemon


@pytest.mark.parametrize(
    ("arguments", "name", "values"),
    [
        (["ls"], "ls", {"images": [], "platforms": []}),
        (["ls", "a", "b"], "ls", {"images": ["a", "b"], "platforms": []}),
        (["show", "a"], "show", {"images": ["a"], "platforms": []}),
        (["verify"], "verify", {"images": [], "platforms": []}),
        (["verify", "a"], "verify", {"images": ["a"], "platforms": []}),
        (["rm", "a"], "rm", {"images": ["a"], "platforms": []}),
        (["pin", "a"], "pin", {"images": ["a"], "platforms": []}),
        (["unpin", "a"], "unpin", {"images": ["a"], "platforms": []}),
        (["prune"], "prune", {"images": [], "platforms": []}),
        (
            ["refresh", "a", "b", "--platform", "linux/amd64,linux/arm64"],
            "refresh",
            {"images": ["a", "b"], "platforms": ["linux/amd64", "linux/arm64"]},
        ),
    ],
)
def test_verbs(
    daemon: Daemon,
    tmp_path: Path,
    arguments: list[str],
    name: str,
    values: dict[str, object],
) -> None:
    """Each asks the daemon in the data folder for itself."""
    assert cache.main([*arguments, "--data", str(tmp_path)]) == 0

    assert daemon.asked == [(tmp_path / "control.sock", name, values)]


@pytest.mark.parametrize("arguments", [[], ["eat"], ["show"], ["rm"], ["export", "a"], ["import"]])
def test_wrong_usage(arguments: list[str]) -> None:
    """The status is 2, before anybody is asked."""
    with pytest.raises(SystemExit) as ended:
        cache.main(arguments)
    assert ended.value.code == 2


def test_wrong_configuration(tmp_path: Path) -> None:
    """As with every verb."""
    with pytest.raises(SystemExit) as ended:
        cache.main(["ls", "--config", str(tmp_path / "none.toml")])
    assert ended.value.code == 2


def test_the_status_of_a_problem(daemon: Daemon, tmp_path: Path) -> None:
    """It is 1, though the operation came to its end."""
    daemon.reports = [{"event": "problem", "subject": "a", "message": "no"}]

    assert cache.main(["refresh", "a", "--data", str(tmp_path)]) == 1


def test_import_tells_of_rights(capsys: pytest.CaptureFixture[str]) -> None:
    """Its help says who gets what is imported."""
    with pytest.raises(SystemExit):
        cache.main(["import", "--help"])
    assert "not public until the upstream says so" in " ".join(capsys.readouterr().out.split())


def test_import(daemon: Daemon, tmp_path: Path) -> None:
    """The file is opened here; what is not there is told."""
    (tmp_path / "x.tar").touch()
    where = ["--data", str(tmp_path)]

    assert cache.main(["import", str(tmp_path / "none.tar"), *where]) == 1
    assert cache.main(["import", str(tmp_path / "x.tar"), "--public", *where]) == 0
    assert cache.main(["import", str(tmp_path), "--name", "a", *where]) == 0

    assert [values for _, _, values in daemon.asked] == [
        {"name": [], "public": True},
        {"name": ["a"], "public": False},
    ]


def test_export(daemon: Daemon, tmp_path: Path) -> None:
    """The file appears whole, or not at all, and what was there before stays until then."""
    path = tmp_path / "x.tar"
    path.write_bytes(b"before")
    arguments = ["export", "a", str(path), "--data", str(tmp_path)]
    daemon.written = b"archive"
    daemon.reports = [{"event": "problem", "subject": "a", "message": "no"}]

    assert cache.main(arguments) == 1
    assert path.read_bytes() == b"before"

    daemon.reports = []
    assert cache.main(arguments) == 0
    assert path.read_bytes() == b"archive"
    assert [each.name for each in tmp_path.iterdir()] == ["x.tar"]


def test_export_to_nowhere(daemon: Daemon, tmp_path: Path) -> None:
    """A folder that is not there is told before anybody is asked."""
    where = ["--data", str(tmp_path)]

    assert cache.main(["export", "a", str(tmp_path / "none" / "x.tar"), *where]) == 1
    assert daemon.asked == []


def test_json(daemon: Daemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One object a line."""
    daemon.reports = [{"event": "pruned", "evicted": 1, "partials": 2}]

    cache.main(["prune", "--json", "--data", str(tmp_path)])

    assert capsys.readouterr().out == '{"event": "pruned", "evicted": 1, "partials": 2}\n'


def test_interrupted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ctrl-C ends it with the status that shells give it."""

    def interrupt(*_: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "ask_daemon", interrupt)

    assert cache.main(["verify", "--data", str(tmp_path)]) == 130
