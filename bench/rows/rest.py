"""The daemon's memory when it has nothing to do."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.peers import Daemon, Upstream
from bench.reading import ping
from bench.results import Aim, Row, Series

__all__ = ["measure"]

AIM = Aim(80)


def measure(rounds: int) -> Row:
    """A new daemon each round: its resident set once it listens, and after three pings."""
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        upstream = Upstream.start(stack, folder, 0)
        samples = [_sizes(folder, upstream) for _ in range(rounds)]
    started, pinged = zip(*samples, strict=True)
    return Row(
        "rest",
        [
            Series("RSS, started", "hubmirror", "MiB", started, aim=AIM),
            Series("RSS, after 3 pings", "hubmirror", "MiB", pinged, aim=AIM),
        ],
    )


def _sizes(folder: Path, upstream: Upstream) -> tuple[float, float]:
    with ExitStack() as stack:
        daemon = Daemon.start(stack, folder, upstream.registry)
        started = daemon.process.resident_mib()
        for _ in range(3):
            ping(f"{daemon.url}/v2/")
        return started, daemon.process.resident_mib()
