"""All that can be typed, as one parser."""

from __future__ import annotations

import argparse

import pytest

from hubmirror import cli
from hubmirror.cli.describing.tree import command_tree, verbs_of
from hubmirror.config import SETTINGS


@pytest.fixture(scope="module")
def tree() -> argparse.ArgumentParser:
    """The whole."""
    return command_tree()


def flags(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """The options of ``parser``."""
    return {flag: action for action in parser._actions for flag in action.option_strings}


def test_each_verb_is_there(
    tree: argparse.ArgumentParser, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those that the command itself lists, and no other; with the verbs below them."""
    cli.main(["help"])
    listed = capsys.readouterr().out

    verbs = verbs_of(tree)

    assert {"cache", "completion", "serve"} <= set(verbs)
    assert all(f"\n  {verb} " in listed for verb in verbs)
    assert {"ls", "rm", "import"} <= set(verbs_of(verbs["cache"]))


def test_a_verb_is_called_as_it_is_typed(tree: argparse.ArgumentParser) -> None:
    """So does its usage."""
    assert verbs_of(tree)["cache"].format_usage().startswith("usage: hubmirror cache ")


@pytest.mark.parametrize("verb", ["check", "serve"])
def test_settings_are_options(tree: argparse.ArgumentParser, verb: str) -> None:
    """All but the tables."""
    found = set(flags(verbs_of(tree)[verb]))

    assert {one.flag for one in SETTINGS if not one.is_table} <= found
    assert {one.flag for one in SETTINGS if one.is_table} & found == set()


def test_files_and_folders_are_offered_as_such(tree: argparse.ArgumentParser) -> None:
    """By a setting's kind, and by what an argument is called."""
    serve = flags(verbs_of(tree)["serve"])

    assert hasattr(serve["--private-key"], "complete")
    assert serve["--data"].complete != serve["--config"].complete  # type: ignore[attr-defined]
    assert not hasattr(serve["--quota"], "complete")
    assert list(serve["--log-level"].choices or ()) == ["debug", "info", "warn", "error"]
