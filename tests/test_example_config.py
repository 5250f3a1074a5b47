"""Tests that ``etc/hubmirror.toml`` is complete, true and loads."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from hubmirror.config import SETTINGS, load

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EXAMPLE = Path(__file__).parent.parent / "etc" / "hubmirror.toml"


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


def test_every_key_of_the_example_has_a_comment() -> None:
    """Before a key, or a group of keys without a gap, stands what it is for."""
    for block in EXAMPLE.read_text(encoding="utf-8").split("\n\n"):
        lines = block.strip().splitlines()
        assert not re.match(r"#[a-z_]+ =", lines[0]), block
