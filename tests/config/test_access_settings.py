"""Tests of the settings of who may use the mirror, as a file has them."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from hubmirror.access.rules import Rule
from hubmirror.config import Config, ConfigError, load

ACCESS = """
[access]
allow = ["10.0.0.0/8", "ci"]
deny = "10.9.9.9"
login = "optional"
users = "users"

[[access.rule]]
action = "allow"
repositories = ["docker.io/library/*"]
tags = "1.*,2.*"
users = ["*"]
networks = ["ci", "192.0.2.1"]
media_types = ["application/vnd.oci.**"]
platforms = ["linux/**"]

[[access.rule]]
action = "block"
message = "ask the platform team"

[networks]
ci = "10.1.0.0/16"
"""


def loaded(folder: Path, text: str) -> Config:
    """The configuration of a file with this text."""
    path = folder / "hubmirror.toml"
    path.write_text(text)
    return load({"config": str(path)}, {}, uid=0).config


def test_the_tables_of_a_file(tmp_path: Path) -> None:
    config = loaded(tmp_path, ACCESS)
    assert config.access_allow == (ip_network("10.0.0.0/8"), "ci")
    assert config.access_deny == (ip_network("10.9.9.9"),)
    assert config.access_users == tmp_path / "users"
    assert config.access_rule == (
        Rule(
            "allow",
            ("docker.io/library/*",),
            ("1.*", "2.*"),
            ("*",),
            ("ci", ip_network("192.0.2.1")),
            ("application/vnd.oci.**",),
            ("linux/**",),
        ),
        Rule("block", message="ask the platform team"),
    )


def test_who_logs_in_here_shows_nothing_upstream(tmp_path: Path) -> None:
    """The mirror pulls in its own name then."""
    assert loaded(tmp_path, ACCESS).pulls_as_itself
    assert loaded(tmp_path, 'auth = "mirror"').pulls_as_itself
    assert not loaded(tmp_path, "").pulls_as_itself


def test_flags_and_variables(tmp_path: Path) -> None:
    """All but the rules."""
    found = load({"access_allow": "10.0.0.0/8"}, {"HUBMIRROR_ACCESS_DENY": "10.1.0.0/16"}, uid=0)
    assert found.config.access_allow == (ip_network("10.0.0.0/8"),)
    assert found.config.access_deny == (ip_network("10.1.0.0/16"),)
    with pytest.raises(ConfigError, match="only the file can hold it"):
        load({"access_rule": "x"}, {}, uid=0)


@pytest.mark.parametrize(
    ("flags", "is_open"),
    [
        ({}, True),
        ({"access_deny": "10.0.0.0/8"}, True),
        ({"access_login": "optional"}, True),
        ({"access_login": "required"}, False),
        ({"access_allow": "10.0.0.0/8"}, False),
    ],
)
def test_whom_it_is_open_to(flags: dict[str, str], is_open: bool) -> None:
    assert load(flags, {}, uid=0).config.is_open_to_all is is_open
