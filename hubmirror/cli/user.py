"""``hubmirror user``: the mirror's own users, in a file that the running daemon reads again."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hubmirror.access.files import editing, write_private
from hubmirror.access.users import (
    check_password,
    check_user,
    hashed,
    parse_users,
    with_user,
    without_user,
)
from hubmirror.cli.operating.command import FAILED, INTERRUPTED, add_common_options, config_of
from hubmirror.config import Config
from hubmirror.errors import HubmirrorError

__all__ = ["main", "make_parser", "summary"]

summary = "add, remove and list those who may log in to the mirror"

_NOBODY_ASKS: Final = (
    "nobody is asked to log in yet: set access_login to required, or optional, and reload"
)


class _Refused(HubmirrorError):
    """What was asked for can't be; the message says why."""


def main(arguments: Sequence[str]) -> int:
    """Carry out one of the verbs; returns the exit status."""
    options = make_parser().parse_args(arguments)
    try:
        config = config_of(options)
        options.run(config.users_file, options)
        if options.run is _add:
            _tell_if_nobody_asks(config)
    except (HubmirrorError, ValueError) as error:
        print(f"hubmirror: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The verb's arguments."""
    parser = argparse.ArgumentParser(
        prog="hubmirror user",
        description="Look after those who may log in to the mirror. A running daemon takes notice"
        " within a second.",
    )
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for name, run, about in (
        ("add", _add, "add a user, or give it another password"),
        ("remove", _remove, "remove a user"),
        ("list", _list, "list the users"),
    ):
        verb = verbs.add_parser(name, help=about, description=f"{about.capitalize()}.")
        if run is not _list:
            verb.add_argument("name", metavar="NAME")
        add_common_options(verb)
        verb.set_defaults(run=run)
    verbs.choices["add"].description = (
        "Add a user, or give it another password: asked for at a terminal, else the first line of"
        " standard input."
    )
    return parser


def _add(path: Path, options: argparse.Namespace) -> None:
    name = check_user(options.name)
    hash_ = hashed(check_password(_password()))
    with editing(path) as data:
        parse_users(data)
        write_private(path, with_user(data, name, hash_))


def _remove(path: Path, options: argparse.Namespace) -> None:
    with editing(path) as data:
        users = parse_users(data)
        if options.name not in (*users.hashes, *users.unusable):
            raise _Refused(f"there is no user {options.name!a} in {path}")
        write_private(path, without_user(data, options.name))


def _list(path: Path, options: argparse.Namespace) -> None:
    with editing(path) as data:
        users = parse_users(data)
    for name in sorted((*users.hashes, *users.unusable)):
        can = name in users.hashes
        if options.json:
            print(json.dumps({"user": name, "can_log_in": can}))
        else:
            print(name if can else f"{name} (can't log in: its hash is no bcrypt)")


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    password = getpass.getpass("Password: ")
    if password != getpass.getpass("Again: "):
        raise _Refused("the two are not the same")
    return password


def _tell_if_nobody_asks(config: Config) -> None:
    if config.access_login == "off":
        print(f"hubmirror: {_NOBODY_ASKS}", file=sys.stderr)
