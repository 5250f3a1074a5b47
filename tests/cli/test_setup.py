"""``hubmirror setup``, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from attrs import evolve

from hubmirror.cli.setup import main, mirror_of
from hubmirror.clients.files import SetupError
from hubmirror.config import Config, load
from tests.support.certificates import Authority

HOST = ("--host", "https://hub.example:5443")


def config(folder: Path, **values: object) -> Config:
    """A configuration with the data folder ``folder``."""
    return load({"data": str(folder), **values}, {}, folder=folder).config


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine with a ``daemon.json``."""
    daemon = tmp_path / "etc/docker/daemon.json"
    daemon.parent.mkdir(parents=True)
    daemon.write_text('{\n  "debug": true\n}\n')
    return tmp_path


def daemon_of(root: Path) -> str:
    """What is in the ``daemon.json``."""
    return (root / "etc/docker/daemon.json").read_text()


def test_nothing_is_written_unasked(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The difference is shown, and what to say."""
    before = daemon_of(root)

    assert main(["docker", *HOST, "--root", str(root)]) == 0

    out, err = capsys.readouterr()
    assert '+    "https://hub.example:5443"' in out
    assert "say --apply" in err
    assert daemon_of(root) == before
    assert [path.name for path in root.rglob("*")] == ["etc", "docker", "daemon.json"]


def test_it_is_written_and_taken_back(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says what to run then; again, there is nothing to do."""
    before = daemon_of(root)
    asked = ["docker", *HOST, "--root", str(root), "--apply"]

    assert main(asked) == 0
    assert "now run: systemctl reload docker" in capsys.readouterr().out
    assert json.loads(daemon_of(root)) == {"debug": True, "registry-mirrors": [HOST[1]]}
    assert main(asked) == 0
    assert "already" in capsys.readouterr().out
    assert main(["docker", "--root", str(root), "--undo", "--apply"]) == 0
    assert "put back: /etc/docker/daemon.json" in capsys.readouterr().out
    assert daemon_of(root) == before
    assert main(["docker", "--root", str(root), "--undo", "--apply"]) == 0
    assert "nothing to undo" in capsys.readouterr().out


@pytest.mark.parametrize(("answer", "is_written"), [("y", True), ("", False), ("no", False)])
def test_a_person_is_asked(
    answer: str, is_written: bool, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a terminal, after the difference."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: answer)

    assert main(["docker", *HOST, "--root", str(root)]) == 0

    assert ("registry-mirrors" in daemon_of(root)) is is_written


def test_bad_json_is_told_and_left(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line with the place; nothing is written, not even a certificate."""
    (root / "etc/docker/daemon.json").write_text('{"debug": true,}')

    assert main(["docker", *HOST, "--root", str(root), "--apply"]) == 1

    assert capsys.readouterr().err.startswith(
        "hubmirror: /etc/docker/daemon.json is not valid JSON"
    )
    assert daemon_of(root) == '{"debug": true,}'
    assert [path.name for path in root.rglob("*")] == ["etc", "docker", "daemon.json"]


def test_files_are_printed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As they would be, and nothing else."""
    options = ["--registry", "docker.io", "--registry", "ghcr.io", "--print", "--root", str(root)]

    assert main(["podman", *HOST, *options]) == 0

    assert capsys.readouterr().out.splitlines()[:3] == [
        "# /etc/containers/registries.conf.d/hubmirror.conf",
        "[[registry]]",
        'location = "docker.io"',
    ]


def test_a_ca_goes_with_it(root: Path, tmp_path: Path) -> None:
    """Where it is one."""
    ca = Authority(tmp_path).certificate
    options = [*HOST, "--root", str(root), "--apply"]

    assert main(["docker", *options, "--ca", str(ca)]) == 0
    assert (root / "etc/docker/certs.d/hub.example:5443/ca.crt").read_bytes() == ca.read_bytes()
    for wrong in (str(root / "etc/docker/daemon.json"), "/nowhere"):
        with pytest.raises(SystemExit) as ended:
            main(["docker", *options, "--ca", wrong])
        assert ended.value.code == 2


@pytest.mark.parametrize("host", ["hub.example", "https://hub.example/x", "ftp://hub.example"])
def test_a_host_is_a_url(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a path."""
    with pytest.raises(SystemExit) as ended:
        main(["docker", "--host", host])

    assert ended.value.code == 2
    assert "such as https://hub.example.org" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ({}, "http://127.0.0.1:5000"),
        ({"http": ":5001"}, "http://127.0.0.1:5001"),
        ({"http": "[::]:5001"}, "http://[::1]:5001"),
        ({"https": "10.0.0.1:5443"}, "https://10.0.0.1:5443"),
        ({"public_url": "https://hub.example"}, "https://hub.example"),
        ({"https": ":5443", "acme": "hub.example.org"}, "https://hub.example.org:5443"),
    ],
)
def test_the_configuration_tells_where_it_is(
    values: dict[str, object], url: str, tmp_path: Path
) -> None:
    """By what clients are told, or by where it listens, TLS first."""
    assert mirror_of(config(tmp_path, **values)).url == url


def test_the_configuration_tells_what_is_mirrored(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All registries that it has, unless some are named."""
    path = root / "hubmirror.toml"
    path.write_text('[upstream."ghcr.io"]\n')
    asked = ["containerd", "--config", str(path), "--data", str(root), "--root", str(root)]

    assert main([*asked, "--print"]) == 0
    assert "certs.d/ghcr.io/hosts.toml" in capsys.readouterr().out
    assert main([*asked, "--print", "--registry", "docker.io"]) == 0
    assert "ghcr.io" not in capsys.readouterr().out


def test_a_port_of_chance_is_not_known(tmp_path: Path) -> None:
    """It must be said."""
    with pytest.raises(SetupError, match="--host"):
        mirror_of(config(tmp_path, http="127.0.0.1:0"))


def test_its_own_ca_goes_along(tmp_path: Path) -> None:
    """Once it has made one, where it needs one."""
    secure = config(tmp_path, https=":5443")
    assert mirror_of(secure).ca is None
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls/ca.pem").write_bytes(b"the CA")

    assert mirror_of(secure).ca == b"the CA"
    assert mirror_of(evolve(secure, certificate=tmp_path / "x")).ca is None
    assert mirror_of(config(tmp_path)).ca is None
    assert mirror_of(evolve(secure, public_url="http://hub.example")).ca is None
