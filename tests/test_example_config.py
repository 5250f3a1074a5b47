"""Tests that ``etc/hubmirror.toml`` is complete, true and loads."""

from __future__ import annotations

import re
import sys
from datetime import datetime, timezone
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from hubmirror.certificates.issuing import issue_authority, new_key
from hubmirror.config import SETTINGS, Config, ListenAddress, load
from hubmirror.quota.rules import ClientLimits, Reserve

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "etc" / "hubmirror.toml"


def uncommented() -> str:
    """The example with every key in force: a key's ``#`` has no space after it."""
    return re.sub(r"(?m)^#(?=[a-z_]+ =)", "", EXAMPLE.read_text(encoding="utf-8"))


def test_the_example_sets_nothing() -> None:
    """Copied as it is, it changes no default."""
    assert tomllib.loads(EXAMPLE.read_text(encoding="utf-8")) == {}


def test_the_example_has_every_setting_with_its_default() -> None:
    """Keys and values are those of the table."""
    assert tomllib.loads(uncommented()) == {setting.name: setting.default for setting in SETTINGS}


def test_the_example_loads_when_uncommented(tmp_path: Path) -> None:
    """It is a configuration, and the same one as that of no file at all."""
    path = tmp_path / "hubmirror.toml"
    path.write_text(uncommented(), encoding="utf-8")
    assert load({"config": str(path)}, {}, uid=0).config == load({}, {}, uid=0).config


def loaded(folder: Path, text: str) -> Config:
    """The configuration that a file with ``text`` makes, and the files that it may name."""
    path = folder / "hubmirror.toml"
    path.write_text(text, encoding="utf-8")
    (folder / "monitor-token").write_text("0123456789abcdef")
    (folder / "monitor-token").chmod(0o600)
    return load({"config": str(path)}, {}, uid=0).config


def test_the_tables_in_the_comments_of_the_example_load(tmp_path: Path) -> None:
    """They stand there indented; the files that they name are made for it."""
    text = EXAMPLE.read_text(encoding="utf-8").replace("/etc/hubmirror/", f"{tmp_path}/")
    certificate = issue_authority(new_key(), datetime.now(timezone.utc))
    (tmp_path / "ghcr.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (tmp_path / "ghcr.login").write_text("me:secret")
    (tmp_path / "ghcr.login").chmod(0o600)
    tables = re.findall(r"(?m)^#   (\[.+\]\n(?:#   .+\n)+)", text)
    config = loaded(tmp_path, re.sub(r"(?m)^#   ", "", "".join(tables)))
    assert set(config.networks) == {"ci", "production"}
    assert [one.name for one in config.upstreams] == ["ghcr.io"]
    assert config.quota_client == (ClientLimits("ci", None, 20000, 300, 200 * 2**30, 5 * 2**30),)
    assert [rule.action for rule in config.access_rule] == ["block"]
    assert config.quota_reserve == (Reserve(20, ("production",), ("release-bot",)),)


def test_the_quota_of_the_readme_loads(tmp_path: Path) -> None:
    """Copied from there, it is what the text says of it."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## The quota\n")[2]
    blocks = re.findall(r"(?ms)^```toml\n(.*?)^```$", section.partition("\n## ")[0])
    config = loaded(tmp_path, "".join(blocks))
    assert [one.network for one in config.quota_client] == ["ci", None]
    assert [one.name for one in config.quota_reserve] == ["production, release-bot"]
    assert config.monitor == (ListenAddress("10.0.0.5", 5001),)


def test_every_key_of_the_example_has_a_comment() -> None:
    """Before a key, or a group of keys without a gap, stands what it is for."""
    for block in EXAMPLE.read_text(encoding="utf-8").split("\n\n"):
        lines = block.strip().splitlines()
        assert not re.match(r"#[a-z_]+ =", lines[0]), block
