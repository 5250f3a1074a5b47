"""All that can be typed after ``hubmirror``, as one parser: for shells and for manual pages.

It is put together from the verbs' own parsers and the table of settings, and parses nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Final

import shtab

from hubmirror import cli

__all__ = ["command_tree", "verbs_of"]

#: What a shell offers where an argument is called so.
_OFFERED: Final[Mapping[str, object]] = {
    "FILE": shtab.FILE,
    "LIST": shtab.FILE,
    "PATH": shtab.FILE,
    "FOLDER": shtab.DIRECTORY,
}


def command_tree() -> argparse.ArgumentParser:
    """The parser of the whole command; each verb is a parser below it."""
    tree = argparse.ArgumentParser(
        prog="hubmirror",
        description="A self-hosted Docker Hub mirror.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    tree.add_argument("--version", action="store_true", help="print the version and exit")
    verbs = tree.add_subparsers(metavar="VERB", dest="verb")
    for name in sorted(module.name for module in iter_modules(cli.__path__) if not module.ispkg):
        module = import_module(f"{cli.__name__}.{name}")
        parser = module.make_parser()
        verbs.add_parser(
            name,
            help=module.summary,
            description=parser.description,
            parents=[parser],
            add_help=False,
        )
    _offer(tree)
    return tree


def verbs_of(parser: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    """The parsers below ``parser``, by the word that leads to each."""
    return next(
        (one.choices for one in parser._actions if isinstance(one, argparse._SubParsersAction)),
        {},
    )


def _offer(parser: argparse.ArgumentParser) -> None:
    """Say of each argument what it may be completed to."""
    for action in parser._actions:
        if action.choices is not None and not isinstance(action, argparse._SubParsersAction):
            action.choices = list(action.choices)
        if isinstance(action.metavar, str) and action.metavar in _OFFERED:
            action.complete = _OFFERED[action.metavar]  # type: ignore[attr-defined]
    for below in verbs_of(parser).values():
        _offer(below)
