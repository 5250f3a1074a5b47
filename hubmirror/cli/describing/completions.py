"""What a shell must know to complete the words after ``hubmirror``."""

from __future__ import annotations

import argparse
from typing import Final

import shtab

from hubmirror.cli.describing.tree import command_tree, verbs_of

__all__ = ["SHELLS", "completions"]

SHELLS: Final = ("bash", "zsh", "fish")


def completions(shell: str) -> str:
    """The script for one of ``SHELLS``."""
    tree = command_tree()
    _shorten(tree)
    script: str = shtab.complete(tree, shell)
    return script


def _shorten(parser: argparse.ArgumentParser) -> None:
    """Have shells show the line of a verb's help, in place of all that describes it."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for listed in action._choices_actions:
                action.choices[listed.dest].description = listed.help
    for below in verbs_of(parser).values():
        _shorten(below)
