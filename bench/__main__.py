"""Run the benchmark: ``python -m bench``, or ``make bench``.

Prints a table for each row, writes its results, and puts all results that there are into
docs/performance.md and its chart.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from subprocess import SubprocessError

from bench.check import committed, worse
from bench.machine import machine
from bench.processes import ROOT
from bench.report import kept_rows, write_report
from bench.results import Row, write
from bench.rows import (
    blob_plain,
    blob_tls,
    cold,
    connections,
    counting,
    handshakes,
    image_size,
    kept,
    layers,
    limited,
    loop,
    manifests,
    manifests_tls,
    passing,
    readers,
    rest,
    start,
    tlscold,
)
from bench.table import text_table

Measure = Callable[[int], Row]
ROWS: Mapping[str, Measure] = {
    "blob-plain": blob_plain.measure,
    "blob-tls": blob_tls.measure,
    "manifests": manifests.measure,
    "manifests-tls": manifests_tls.measure,
    "handshakes": handshakes.measure,
    "cold": cold.measure,
    "tlscold": tlscold.measure,
    "readers": readers.measure,
    "limited": limited.measure,
    "layers": layers.measure,
    "loop": loop.measure,
    "connections": connections.measure,
    "image-size": image_size.measure,
    "kept": kept.measure,
    "counting": counting.measure,
    "passing": passing.measure,
    "rest": rest.measure,
    "start": start.measure,
}
PROFILES = {
    "cold": cold.profile,
    "tlscold": tlscold.profile,
    "passing": passing.profile,
    "start": start.profile,
}
RESULTS = Path(__file__).parent / "results"
DOCUMENT = ROOT / "docs" / "performance.md"


def main() -> int:
    """Do what was asked for; 1 where a row failed or something became worse."""
    options = _parser().parse_args()
    names: Sequence[str] = options.row or tuple(ROWS)
    if options.profile:
        for name in names:
            print(f"{name}\n{PROFILES[name]()}\n" if name in PROFILES else f"{name}: no profile\n")
        return 0
    failed = [] if options.no_run else [name for name in names if not _is_measured(name, options)]
    _report(options.results)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    status = _check(names, options.results) if options.check else 0
    return 1 if failed else status


def _is_measured(name: str, options: argparse.Namespace) -> bool:
    """Measure a row, print and write it; whether that went well. The others go on if it did not."""
    rows: dict[str, Measure] = {**ROWS, "kept": partial(kept.measure, is_short=options.short)}
    before = machine()
    try:
        row = rows[name](options.rounds)
    except (RuntimeError, OSError, SubprocessError) as error:
        print(f"{name} failed: {error}\n", file=sys.stderr, flush=True)
        return False
    print(f"{name}\n{text_table(row)}\n", flush=True)
    write(row, options.results, before)
    _report(options.results)
    return True


def _report(results: Path) -> None:
    if results == RESULTS:
        write_report(RESULTS, tuple(ROWS), DOCUMENT)


def _check(names: Sequence[str], results: Path) -> int:
    """Say what became worse, and what can't be compared; the status to exit with."""
    found = list(_complaints(kept_rows(results, names)))
    print("\n".join(found) if found else "nothing became worse by more than its spread")
    return 1 if found else 0


def _complaints(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        before = committed(RESULTS / f"{row.name}.json")
        if before is None:
            print(f"{row.name}: nothing was committed to compare with", file=sys.stderr)
        else:
            yield from (f"worse: {change}" for change in worse(before, row))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench ARGS=", description=__doc__)
    parser.add_argument("--row", action="append", choices=ROWS, help="this row only; may recur")
    parser.add_argument(
        "--rounds", type=_positive, default=5, help="how often each peer is measured (default 5)"
    )
    parser.add_argument(
        "--short", action="store_true", help="in the row kept, leave out the 100000 blobs"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="say what became worse than the last committed results, and exit with 1 if anything",
    )
    parser.add_argument(
        "--no-run", action="store_true", help="measure nothing: take the results that were written"
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
    sys.exit(main())
