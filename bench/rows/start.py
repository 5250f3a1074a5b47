"""From the command to ``listening on``, beside merely importing what the daemon is built on."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.peers import Daemon, Upstream
from bench.processes import PYTHON, timed_run
from bench.profiles import slowest_imports
from bench.results import Aim, Row, Series

__all__ = ["measure", "profile"]

IMPORTS = "import twisted.web.server, treq"


def measure(rounds: int) -> Row:
    """The daemon and the imports in turn, ``rounds`` times, after one of each uncounted."""
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        upstream = Upstream.start(stack, folder, 0)
        samples = [_once(folder, upstream) for _ in range(rounds + 1)][1:]
    starts, imports = zip(*samples, strict=True)
    base = Series("start to listening", "imports", "s", imports)
    return Row("start", [Series(base.quantity, "hubmirror", "s", starts, base, Aim(2.0)), base])


def profile() -> str:
    """What the daemon imports until it listens, by the time that each takes."""
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        upstream = Upstream.start(stack, folder, 0)
        daemon = Daemon.start(stack, folder, upstream.registry, interpreter=("-X", "importtime"))
        return slowest_imports(daemon.process.said)


def _once(folder: Path, upstream: Upstream) -> tuple[float, float]:
    with ExitStack() as stack:
        daemon = Daemon.start(stack, folder, upstream.registry)
        started = time.perf_counter() - daemon.process.began
    return started, timed_run((PYTHON, "-c", IMPORTS))
