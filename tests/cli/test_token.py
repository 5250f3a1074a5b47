"""``hubmirror token``: shown once, kept as a hash, and revoked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hubmirror.access.robots import parse_robots
from hubmirror.cli import main


def run(folder: Path, *words: str) -> int:
    """The exit status of ``hubmirror token``."""
    return main(["token", *words, "--data", str(folder)])


def test_create_list_revoke(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that is revoked may be used again."""
    path = tmp_path / "access" / "robots"
    assert run(tmp_path, "create", "ci", "--repositories", "docker.io/team/*,**/x") == 0
    out, err = capsys.readouterr()
    assert out.startswith("hmr_")
    assert "robot$ci" in err
    assert out.strip() not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    (robot,) = parse_robots(path.read_bytes()).all
    assert robot.has_token(out.strip().encode())
    assert robot.repositories == ("docker.io/team/*", "**/x")
    assert robot.expires == pytest.approx(robot.created + 90 * 86400)
    assert run(tmp_path, "create", "ci") == 1
    assert "revoke it first" in capsys.readouterr().err
    assert run(tmp_path, "revoke", "robot$ci") == 0
    assert run(tmp_path, "list") == 0
    assert "robot$ci  revoked  until 20" in capsys.readouterr().out
    assert run(tmp_path, "create", "ci", "--expires", "never", "--json") == 0
    assert json.loads(capsys.readouterr().out)["expires"] == "never"
    assert run(tmp_path, "list", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["state"], told["repositories"]) == ("alive", ["**"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("create", "A"), "a robot's name"),
        (("create", "ci", "--expires", "soon"), "is not a duration"),
        (("create", "ci", "--repositories", "busybox"), "has no registry"),
        (("revoke", "ci"), "there is no token ci"),
    ],
)
def test_what_can_not_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], told: str
) -> None:
    """One line, and nothing is written."""
    assert run(tmp_path, *words) == 1
    assert told in capsys.readouterr().err
    assert not (tmp_path / "access" / "robots").exists()
