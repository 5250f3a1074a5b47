"""``hubmirror completion``: what a shell must know to complete the command's words."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

__all__ = ["main", "make_parser", "summary"]

summary = "print what bash, zsh or fish need to complete this command"


def main(arguments: Sequence[str]) -> int:
    """Print it; returns the exit status."""
    options = make_parser().parse_args(arguments)
    # Not before: it imports all verbs.
    from hubmirror.cli.describing.completions import completions

    print(completions(options.shell))
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The verb's arguments."""
    made = argparse.ArgumentParser(
        prog="hubmirror completion",
        description="Print a script by which a shell completes verbs, options and files. For this"
        " session: source <(hubmirror completion bash), source <(hubmirror completion zsh) after"
        " compinit, or hubmirror completion fish | source.",
    )
    made.add_argument("shell", choices=("bash", "zsh", "fish"), help="for which one")
    return made
