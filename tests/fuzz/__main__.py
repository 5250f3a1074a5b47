"""``python -m tests.fuzz --seconds N [TARGET …]``: each target fed for its share of the time."""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.fuzz.engines import atheris_child, by_atheris, by_hypothesis
from tests.fuzz.target import TARGETS

__all__ = ["main"]

#: What all targets together may hold, in MiB.
MOST_MEMORY: Final = 1024


def main(arguments: list[str]) -> int:
    """The exit status: 1 where an input was found that shows a defect."""
    if arguments[:1] == ["--child"]:
        atheris_child(arguments[1], arguments[2:])
        return 0
    options = _parsed(arguments)
    share = options.seconds / len(options.targets)
    corpus = options.corpus or Path(tempfile.gettempdir()) / "hubmirror-fuzz"
    corpus.mkdir(parents=True, exist_ok=True)
    for name in options.targets:
        if options.engine == "atheris":
            by_atheris(name, share, corpus)
            continue
        count = by_hypothesis(name, share, corpus)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"{name:16} {count:8} inputs, {memory} MiB at most", flush=True)
        if memory > MOST_MEMORY:
            print(f"it holds more than {MOST_MEMORY} MiB", file=sys.stderr)
            return 1
    return 0


def _parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.fuzz")
    parser.add_argument("--seconds", type=float, default=300.0, help="in all, default 300")
    parser.add_argument("--corpus", type=Path, help="what is kept from one run to the next")
    parser.add_argument("--engine", choices=("hypothesis", "atheris"), default="hypothesis")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.targets) - set(TARGETS))
    if unknown:
        parser.error(f"there is no target {', '.join(unknown)}")
    options.targets = options.targets or list(TARGETS)
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
