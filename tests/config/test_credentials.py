"""Files that the service manager hands over."""

from __future__ import annotations

from pathlib import Path

import pytest

from hubmirror.config import ConfigError, load
from hubmirror.config.credentials import located


@pytest.mark.parametrize("path", ["login", "/etc/hubmirror/login", "a/credential:login"])
def test_other_paths_stay(path: str) -> None:
    """Relative ones, too: where these start is for others to say."""
    assert located(Path(path), {"CREDENTIALS_DIRECTORY": "/run/x"}) == Path(path)


def test_a_credential_is_where_systemd_says() -> None:
    """Also one whose name looks like a file's."""
    environ = {"CREDENTIALS_DIRECTORY": "/run/credentials/other.service"}

    found = located(Path("credential:hub.login"), environ)

    assert found == Path("/run/credentials/other.service/hub.login")


def test_an_operators_command_finds_the_services() -> None:
    """It has no credentials of its own."""
    assert located(Path("credential:a"), {}) == Path("/run/credentials/hubmirror.service/a")


@pytest.mark.parametrize("name", ["", ".", "..", "../../etc/shadow", "a/b", "/etc/shadow"])
def test_a_credential_has_a_plain_name(name: str) -> None:
    """It leads nowhere else."""
    with pytest.raises(ValueError, match="names no credential"):
        located(Path(f"credential:{name}"), {})


def test_settings_take_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a file, too, whose own folder is another."""
    credentials, etc = tmp_path / "credentials", tmp_path / "etc"
    credentials.mkdir()
    etc.mkdir()
    (credentials / "hub").write_text("me:secret")
    (credentials / "hub").chmod(0o400)
    (etc / "hubmirror.toml").write_text(
        'auth = "mirror"\nupstream_credentials = "credential:hub"\n'
    )
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))

    config = load({"config": str(etc / "hubmirror.toml")}, {}, uid=0).config

    assert config.upstream_login == ("me", "secret")


def test_one_that_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the path at which it should be."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))

    with pytest.raises(ConfigError, match=f"{tmp_path}/token can't be read"):
        load({"monitor_token": "credential:token"}, {}, uid=0)
