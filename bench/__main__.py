"""Run the benchmark: ``python -m bench``, or ``make bench ARGS="--row blob --rounds 3"``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from bench.results import Row, write
from bench.rows import blob, cold, counting, kept, layers, limited, loop, readers, rest, start, warm
from bench.table import text_table

Measure = Callable[[int], Row]
ROWS: Mapping[str, Measure] = {
    "blob": blob.measure,
    "cold": cold.measure,
    "readers": readers.measure,
    "limited": limited.measure,
    "layers": layers.measure,
    "loop": loop.measure,
    "kept": kept.measure,
    "warm": warm.measure,
    "counting": counting.measure,
    "rest": rest.measure,
    "start": start.measure,
}
PROFILES = {"blob": blob.profile, "cold": cold.profile, "start": start.profile}
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Measure the rows that were asked for, print a table for each and write its results."""
    options = _parser().parse_args()
    rows: dict[str, Measure] = {**ROWS, "kept": partial(kept.measure, is_full=options.full)}
    for name in options.row or rows:
        if options.profile:
            print(f"{name}\n{PROFILES[name]()}\n" if name in PROFILES else f"{name}: no profile\n")
        else:
            row = rows[name](options.rounds)
            print(f"{name}\n{text_table(row)}\n", flush=True)
            write(row, options.results)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench ARGS=", description=__doc__)
    parser.add_argument("--row", action="append", choices=ROWS, help="this row only; may recur")
    parser.add_argument(
        "--rounds", type=_positive, default=5, help="how often each peer is measured (default 5)"
    )
    parser.add_argument(
        "--full", action="store_true", help="in the row kept, 100000 blobs as well (minutes)"
    )
    parser.add_argument(
        "--profile", action="store_true", help="show where the time goes, and measure nothing"
    )
    parser.add_argument(
        "--results", type=Path, default=RESULTS, metavar="DIR", help="where results are written"
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


if __name__ == "__main__":
    main()
