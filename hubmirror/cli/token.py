"""``hubmirror token``: tokens for programs, each for some repositories and for a time."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from hubmirror.access.files import editing, write_private
from hubmirror.access.robots import (
    Robot,
    check_robot,
    new_token,
    parse_robots,
    written_robots,
)
from hubmirror.cli.operating.command import FAILED, add_common_options, config_of
from hubmirror.config.access_tables import repository_patterns
from hubmirror.config.values import lifetime
from hubmirror.errors import HubmirrorError

__all__ = ["main", "make_parser", "summary"]

summary = "create, list and revoke tokens by which programs log in to the mirror"

_DEFAULT_LIFE: Final = "90d"


class _Refused(HubmirrorError):
    """What was asked for can't be; the message says why."""


def main(arguments: Sequence[str]) -> int:
    """Carry out one of the verbs; returns the exit status."""
    options = make_parser().parse_args(arguments)
    try:
        config = config_of(options)
        options.run(config.robots_file, options)
        if config.access_login == "off" and options.run is _create:
            print(
                "hubmirror: nobody is asked to log in yet: set access_login to required, or"
                " optional, and reload",
                file=sys.stderr,
            )
    except (HubmirrorError, ValueError) as error:
        print(f"hubmirror: {error}", file=sys.stderr)
        return FAILED
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The verb's arguments."""
    parser = argparse.ArgumentParser(
        prog="hubmirror token",
        description="Look after the tokens by which programs log in: docker login -u 'robot$NAME'"
        " with the token as the password. A running daemon takes notice within a second.",
    )
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    create = verbs.add_parser(
        "create",
        help="create a token, and print it: this once",
        description="Create a token, and print it: only a hash of it is kept.",
    )
    create.add_argument("name", metavar="NAME")
    create.add_argument(
        "--repositories",
        action="append",
        metavar="P,…",
        help="what it may pull: patterns such as docker.io/library/*; without any, all",
    )
    create.add_argument(
        "--expires",
        default=_DEFAULT_LIFE,
        metavar="TIME",
        help=f"how long it lives, such as 12h or 30d, or never; {_DEFAULT_LIFE} unless given",
    )
    create.set_defaults(run=_create)
    listed = verbs.add_parser("list", help="list them", description="List them, revoked ones too.")
    listed.set_defaults(run=_list)
    revoke = verbs.add_parser(
        "revoke",
        help="revoke one, at once",
        description="Revoke one: it opens nothing from now on, nor does what it has logged in.",
    )
    revoke.add_argument("name", metavar="NAME")
    revoke.set_defaults(run=_revoke)
    for verb in (create, listed, revoke):
        add_common_options(verb)
    return parser


def _create(path: Path, options: argparse.Namespace) -> None:
    name, now = check_robot(options.name), time.time()
    patterns = repository_patterns(options.repositories or ["**"])
    life = None if options.expires == "never" else lifetime(options.expires)
    token, digest = new_token()
    robot = Robot(name, digest, patterns, now, None if life is None else now + life)
    with editing(path) as data:
        robots = parse_robots(data)
        known = robots.find(robot.user)
        if known is not None and known.is_alive(now):
            raise _Refused(f"there is a token {name} already: revoke it first")
        write_private(path, written_robots(robots.with_robot(robot)))
    if options.json:
        print(json.dumps({"user": robot.user, "token": token, "expires": _when(robot.expires)}))
        return
    print(token)
    print(f"its user is {robot.user}; this is the only time that it is shown", file=sys.stderr)


def _revoke(path: Path, options: argparse.Namespace) -> None:
    name = check_robot(options.name)
    with editing(path) as data:
        robots = parse_robots(data)
        if all(robot.name != name for robot in robots.all):
            raise _Refused(f"there is no token {name} in {path}")
        write_private(path, written_robots(robots.revoked(name)))


def _list(path: Path, options: argparse.Namespace) -> None:
    with editing(path) as data:
        robots = parse_robots(data)
    now = time.time()
    for robot in robots.all:
        fields = {
            "user": robot.user,
            "state": _state(robot, now),
            "repositories": list(robot.repositories),
            "created": _when(robot.created),
            "expires": _when(robot.expires),
        }
        if options.json:
            print(json.dumps(fields))
        else:
            patterns = ", ".join(robot.repositories)
            print(f"{robot.user}  {fields['state']}  until {fields['expires']}  {patterns}")


def _state(robot: Robot, now: float) -> str:
    if robot.is_revoked:
        return "revoked"
    return "alive" if robot.is_alive(now) else "expired"


def _when(seconds: float | None) -> str:
    if seconds is None:
        return "never"
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
