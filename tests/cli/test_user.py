"""``hubmirror user``: passwords come by standard input, and only their hashes are kept."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from hubmirror.access.users import is_right, parse_users
from hubmirror.cli import main, user


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that take no time."""
    from hubmirror.access.users import hashed

    monkeypatch.setattr(user, "hashed", lambda password: hashed(password, 4))


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str, stdin: str = "") -> int:
    """The exit status of ``hubmirror user``."""
    monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
    return main(["user", *words, "--data", str(folder)])


@pytest.mark.usefixtures("cheap")
def test_add_list_remove(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second ``add`` is another password."""
    path = tmp_path / "access" / "users"
    for password in ("correct horse", "battery staple"):
        assert run(tmp_path, monkeypatch, "add", "alice", stdin=f"{password}\n") == 0
    assert is_right(b"battery staple", parse_users(path.read_bytes()).hashes["alice"])
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"battery" not in path.read_bytes()
    assert "nobody is asked to log in yet" in capsys.readouterr().err
    assert run(tmp_path, monkeypatch, "add", "bob", stdin="builder builder\r\n") == 0
    path.write_bytes(path.read_bytes() + b"old:{SHA}x\n")
    assert run(tmp_path, monkeypatch, "list") == 0
    assert capsys.readouterr().out.split("\n")[:2] == ["alice", "bob"]
    assert run(tmp_path, monkeypatch, "list", "--json") == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"user": "old", "can_log_in": False} in told
    assert run(tmp_path, monkeypatch, "remove", "bob") == 0
    assert set(parse_users(path.read_bytes()).hashes) == {"alice"}


@pytest.mark.parametrize(
    ("words", "stdin", "told"),
    [
        (("add", "alice"), "short\n", "a password has 8 to 72 bytes"),
        (("add", "alice"), "", "a password has 8 to 72 bytes"),
        (("add", "robot$x"), "correct horse\n", "a user's name"),
        (("remove", "nobody"), "", "there is no user 'nobody'"),
    ],
)
def test_what_can_not_be(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    stdin: str,
    told: str,
) -> None:
    """One line, and nothing is written."""
    assert run(tmp_path, monkeypatch, *words, stdin=stdin) == 1
    assert told in capsys.readouterr().err
    assert not (tmp_path / "access" / "users").exists()


@pytest.mark.usefixtures("cheap")
def test_a_file_that_is_none_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever wrote it may need it."""
    path = tmp_path / "access" / "users"
    path.parent.mkdir()
    path.write_text("nonsense\n")
    assert run(tmp_path, monkeypatch, "add", "alice", stdin="correct horse\n") == 1
    assert "line 1" in capsys.readouterr().err
    assert path.read_text() == "nonsense\n"


@pytest.mark.usefixtures("cheap")
def test_at_a_terminal_it_is_asked_for_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And not shown."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal())
    answers = ["correct horse", "correct horse", "correct horse", "another one"]
    monkeypatch.setattr("getpass.getpass", lambda _prompt: answers.pop(0))
    assert main(["user", "add", "alice", "--data", str(tmp_path)]) == 0
    assert main(["user", "add", "alice", "--data", str(tmp_path)]) == 1
    assert "not the same" in capsys.readouterr().err
