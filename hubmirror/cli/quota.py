"""``hubmirror quota``: how the quota stands, on the running daemon or in its files."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from threading import Event
from typing import Any, Final, NoReturn

from hubmirror.cli.operating.command import FAILED, INTERRUPTED, add_common_options, config_of
from hubmirror.cli.operating.quota_lines import WIDTH, quota_lines
from hubmirror.cli.operating.quota_source import QuotaSource
from hubmirror.cli.operating.quota_words import plain, wrapped
from hubmirror.cli.operating.screen import Blocks, Screen
from hubmirror.errors import HubmirrorError

__all__ = ["main", "make_parser", "summary", "watch"]

summary = "show how many requests are spent, by whom, and what is left"

#: Between two looks, in seconds.
PERIOD: Final = 1.0
TERMINATED: Final = 128 + signal.SIGTERM

_Status = Mapping[str, Any]
#: Shows a state, and why there is no newer one, where that is so.
_Show = Callable[[_Status, str], object]


def main(arguments: Sequence[str]) -> int:
    """Show it once, or until it is enough; returns the exit status."""
    options = make_parser().parse_args(arguments)
    source = QuotaSource(config_of(options))
    try:
        if options.watch:
            _watch(source, is_json=options.json)
        status = source.now()
        print("\n".join([_json(status)] if options.json else _lines(status)), flush=True)
    except HubmirrorError as error:
        print(f"hubmirror: {plain(error)}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return 0 if options.watch else INTERRUPTED
    except BrokenPipeError:
        # Who reads has seen enough. What is still buffered must not fail at the process's end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The verb's arguments."""
    parser = argparse.ArgumentParser(
        prog="hubmirror quota",
        description="Show how many of the day's requests are spent, by whom, and what is left: as"
        " the running daemon tells it, or from its data folder while none runs.",
    )
    parser.add_argument(
        "--watch", action="store_true", help="show it anew each second, until Ctrl-C"
    )
    add_common_options(parser)
    return parser


def watch(look: Callable[[], _Status], wait: Callable[[float], object], show: _Show) -> NoReturn:
    """Show what ``look`` tells, and again after each ``wait`` (in seconds), until one fails.

    A ``HubmirrorError`` ends it only at the first look: a daemon may come back.
    """
    status, complaint = look(), ""
    while True:
        show(status, complaint)
        wait(PERIOD)
        try:
            status, complaint = look(), ""
        except HubmirrorError as error:
            complaint = plain(error)


def _watch(source: QuotaSource, *, is_json: bool) -> NoReturn:
    wait = Event().wait
    with _ending_on_sigterm():
        if is_json:
            watch(source.now, wait, _JsonLines().show)
        with (Screen if sys.stdout.isatty() else Blocks)(sys.stdout) as output:
            watch(
                source.now,
                wait,
                lambda status, complaint: output.draw(_lines(status, complaint)),
            )


class _JsonLines:
    """A line for each state; a complaint goes to standard error, once."""

    def __init__(self) -> None:
        self._complaint = ""

    def show(self, status: _Status, complaint: str) -> None:
        if not complaint:
            print(_json(status), flush=True)
        elif complaint != self._complaint:
            print(f"hubmirror: {complaint}", file=sys.stderr)
        self._complaint = complaint


def _lines(status: _Status, complaint: str = "") -> list[str]:
    lines = quota_lines(status, datetime.now(timezone.utc))
    return [*wrapped(f"hubmirror: {complaint}", WIDTH), "", *lines] if complaint else lines


def _json(status: _Status) -> str:
    return json.dumps(status)


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """SIGTERM ends the process in order: a terminal gets its cursor back."""

    def end(_signal: int, _frame: object) -> NoReturn:
        raise SystemExit(TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
