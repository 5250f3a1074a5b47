"""``hubmirror serve``: ``twistd -n hubmirror`` under a shorter name."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from hubmirror.cli.operating.settings import settings_parser
from hubmirror.options import Options

__all__ = ["main", "make_parser", "summary"]

summary = "run the mirror in the foreground"


def main(arguments: Sequence[str]) -> int:
    """Run the daemon until it is told to stop; ``SystemExit`` where it can't start."""
    from twisted.scripts import twistd

    # Parsed here first, so that help and errors speak of this command and not of twistd.
    Options("hubmirror serve").parseOptions(arguments)
    sys.argv[1:] = ["--nodaemon", "--pidfile=", "hubmirror", *arguments]
    twistd.run()
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The verb's arguments, to be shown: ``main`` has them parsed by ``Options``."""
    return settings_parser("hubmirror serve", summary)
