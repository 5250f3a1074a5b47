"""Tests of what is wrong between the settings of who may use the mirror."""

from __future__ import annotations

from pathlib import Path

import pytest

from hubmirror.config import ConfigError, load

OFF = "nobody is a user: access_login and client_certificates are off"


def told(folder: Path, text: str) -> str:
    """What is wrong with a file of this text."""
    path = folder / "hubmirror.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load({"config": str(path)}, {}, uid=0)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('access.users = "users"', "access.users: it is set, but nobody logs in"),
        ('access.allow = "ci"', "access.allow: [networks] has no 'ci'"),
        ('access.deny = "ci"\nnetworks.cii = "10.0.0.0/8"', "did you mean cii?"),
        ('[[access.rule]]\naction = "deny"\nusers = "x"', f"access.rule[0].users: {OFF}"),
        (
            '[[access.rule]]\naction = "deny"\nnetworks = "x"',
            "access.rule[0].networks: [networks] has no 'x'",
        ),
        ('client_certificates = "optional"', "client_certificates: client_ca is missing"),
        ('client_certificates = "optional"', "client_certificates: https is off"),
    ],
)
def test_what_is_wrong(tmp_path: Path, text: str, wrong: str) -> None:
    """Each is told under the key as it is written."""
    assert wrong in told(tmp_path, text)


def test_a_ca_for_nothing(tmp_path: Path) -> None:
    """Nobody is asked for a certificate."""
    from tests.support.certificates import Authority

    ca = Authority(tmp_path).certificate
    assert "client_certificates is off" in told(tmp_path, f'client_ca = "{ca}"')
