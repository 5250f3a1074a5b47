"""Where the time goes, as text: functions of a run, imports of a start."""

from __future__ import annotations

import io
import pstats
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

__all__ = ["hottest_functions", "slowest_imports"]

_IMPORT = re.compile(r"^import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)$", re.MULTILINE)
_SHOWN = 20


def hottest_functions(statistics: Path) -> str:
    """The functions in which most time went, themselves alone; ``statistics`` is cProfile's."""
    text = io.StringIO()
    pstats.Stats(str(statistics), stream=text).strip_dirs().sort_stats("tottime").print_stats(
        _SHOWN
    )
    return text.getvalue().strip()


def slowest_imports(output: str) -> str:
    """The modules and packages that took longest, from what ``-X importtime`` printed.

    The times are of modules themselves, without what they import.
    """
    modules = Counter({name: int(micros) for micros, name in _IMPORT.findall(output)})
    packages: Counter[str] = Counter()
    for name, micros in modules.items():
        packages[name.partition(".")[0]] += micros
    lines = [
        f"{modules.total() / 1000:.0f} ms in {len(modules)} imports",
        "by package:",
        *_milliseconds(packages.most_common(_SHOWN)),
        "by module:",
        *_milliseconds(modules.most_common(_SHOWN)),
    ]
    return "\n".join(lines)


def _milliseconds(counted: Iterable[tuple[str, int]]) -> Iterable[str]:
    return (f"  {micros / 1000:6.1f} ms  {name}" for name, micros in counted)
