"""The options of ``python -m hubmirror.demo``, which runs a Hub as a process of its own."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from hubmirror.demo.accounts import Accounts

__all__ = ["accounts", "parse"]


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options; ``SystemExit`` after a word on stderr where they are wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m hubmirror.demo",
        description="A small Docker Hub on loopback, for tests: a registry that challenges, a "
        "token server, and a blob host on another origin.",
    )
    add = parser.add_argument
    add("--registry-backend", metavar="URL", help="serve what this open registry holds")
    add("--certificate", metavar="FILE", help="speak TLS, with this chain (PEM)")
    add("--private-key", metavar="FILE", help="the certificate's key (PEM)")
    add("--name", default="127.0.0.1", help="the host in URLs (default: %(default)s)")
    add("--port", type=int, default=0, help="the registry's port (default: a free one)")
    add("--user", action="append", default=[], metavar="NAME:PASSWORD")
    add("--private", action="append", default=[], metavar="REPOSITORY:NAME[,NAME]")
    add("--pull-limit", type=int, default=100, metavar="N", help="as the headers tell it")
    add("--enforce-pull-limit", action="store_true", help="answer 429 above it")
    add("--sign-for-get-only", action="store_true", help="refuse HEAD at the blob host")
    add("--bytes-per-second", type=float, metavar="N", help="of a blob, for each connection")
    add("--answer-always", type=int, metavar="STATUS", help="at all three hosts, to everything")
    add("--delay", type=float, default=0, metavar="SECONDS", help="before each answer")
    options = parser.parse_args(arguments)
    if (options.certificate is None) != (options.private_key is None):
        parser.error("--certificate and --private-key go together")
    return options


def accounts(users: Sequence[str], private: Sequence[str]) -> Accounts:
    """The accounts that these ``NAME:PASSWORD`` and ``REPOSITORY:NAME,NAME`` spell."""
    passwords = dict(_split(user) for user in users)
    readers = {name: frozenset(names.split(",")) for name, names in map(_split, private)}
    return Accounts(passwords, readers)


def _split(text: str) -> tuple[str, str]:
    name, _, rest = text.partition(":")
    return name, rest
