"""How long a small answer takes, asked for at a steady rate: ``python -m bench.prober URL``.

It is a program of its own, so that nothing else of the benchmark delays it. It asks once, and on
until its input ends, and prints how many milliseconds each answer took, a line each.
"""

from __future__ import annotations

import http.client
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from bench.content import MANIFEST_TYPE
from bench.processes import PYTHON, clean_environment

__all__ = ["Prober", "percentile", "probing"]

#: Seconds from one question to the next: 200 a second.
PERIOD = 0.005


class Prober:
    """``milliseconds`` are there once it has ended, in the order of the questions."""

    def __init__(self) -> None:
        self.milliseconds: list[float] = []


@contextmanager
def probing(url: str) -> Iterator[Prober]:
    """Ask for the manifest at ``url`` all the time within."""
    prober = Prober()
    with subprocess.Popen(
        (PYTHON, "-m", "bench.prober", url),
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield prober
        output, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{url} could not be probed")
    prober.milliseconds = [float(line) for line in output.split()]


def percentile(values: list[float], share: float) -> float:
    """The least of ``values`` that ``share`` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main() -> None:
    """See above."""
    url = urlsplit(sys.argv[1])
    connection = http.client.HTTPConnection(url.netloc, timeout=60)
    took: list[float] = []
    due = time.perf_counter()
    while not took or not _input_has_ended(due - time.perf_counter()):
        began = time.perf_counter()
        connection.request("GET", url.path, headers={"Accept": MANIFEST_TYPE})
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            raise RuntimeError(f"{response.status}")
        took.append(time.perf_counter() - began)
        due = max(due + PERIOD, time.perf_counter())
    print("\n".join(f"{seconds * 1000:.3f}" for seconds in took))


def _input_has_ended(wait: float) -> bool:
    """Whether it ends within ``wait`` seconds."""
    readable, _, _ = select.select([sys.stdin], [], [], max(0.0, wait))
    return bool(readable)


if __name__ == "__main__":
    main()
