"""A blob that is passed through, and kept by nobody.

By hubmirror with its cache off, by nginx as a plain reverse proxy, and direct.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import frozen

from bench.comparing import by_peer, compared
from bench.nginx import LARGE_BUFFERS, start_proxy
from bench.peers import LIMITED, UNLIMITED, Daemon, Upstream
from bench.processes import Process
from bench.profiles import hottest_functions
from bench.reading import timed_get
from bench.results import Aim, Row

__all__ = ["measure", "profile"]

LENGTH = 200 * 1024 * 1024
#: Downloads in one sample of CPU time, which the kernel tells in steps of 10 ms.
REPEATS = 4
#: For the wall time through hubmirror where the upstream is the limit, against a direct download.
AIM = Aim(1.05)


@frozen
class _Peer:
    """One way to the blob: its URL in a repository, and who works on it, if not the upstream."""

    name: str
    url: Callable[[str], str]
    process: Process | None = None

    def seconds(self, repository: str) -> float:
        """How long one download takes."""
        return timed_get(self.url(repository), LENGTH)

    def unlimited(self) -> tuple[float, float]:
        """Wall seconds a download, and CPU seconds a GB, over ``REPEATS`` downloads."""
        before = self._cpu_seconds()
        walls = [self.seconds(UNLIMITED) for _ in range(REPEATS)]
        gigabytes = REPEATS * LENGTH / 1e9
        return sum(walls) / REPEATS, (self._cpu_seconds() - before) / gigabytes

    def _cpu_seconds(self) -> float:
        return 0.0 if self.process is None else self.process.cpu_seconds()


def measure(rounds: int) -> Row:
    """Each peer in turn, ``rounds`` times over, after one download by each that isn't counted."""
    with _peers() as peers:
        for peer in peers:
            peer.seconds(UNLIMITED)
        limited = [[peer.seconds(LIMITED) for peer in peers] for _ in range(rounds)]
        unlimited = [[peer.unlimited() for peer in peers] for _ in range(rounds)]
    names = [peer.name for peer in peers]
    walls = [[wall for wall, _ in each] for each in unlimited]
    spent = [[cpu for _, cpu in each[:-1]] for each in unlimited]
    return Row(
        "passing",
        [
            *compared("wall, 100 MB/s upstream", "s", by_peer(names, limited), "direct", AIM),
            *compared("wall, unlimited upstream", "s", by_peer(names, walls), "direct"),
            *compared("CPU, unlimited upstream", "s/GB", by_peer(names[:-1], spent), "nginx"),
        ],
    )


def profile() -> str:
    """The daemon under cProfile for some unlimited downloads: the functions it spends most in."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        statistics = folder / "profile"
        with ExitStack() as stack:
            upstream = Upstream.start(stack, folder, LENGTH)
            options = ("-m", "cProfile", "-o", statistics)
            mirror = _through(_start(stack, folder, upstream, *options), upstream)
            for _ in range(REPEATS):
                mirror.seconds(UNLIMITED)
        return hottest_functions(statistics)


@contextmanager
def _peers() -> Iterator[Sequence[_Peer]]:
    """All who are measured, running; hubmirror is the first, and nobody between the last."""
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        upstream = Upstream.start(stack, folder, LENGTH)

        def proxy(name: str, buffers: str) -> _Peer:
            process, url = start_proxy(stack, folder / name, upstream.blobs, buffers)
            return _Peer(name, lambda repository: f"{url}/{repository}", process)

        yield (
            _through(_start(stack, folder, upstream), upstream),
            proxy("nginx", ""),
            proxy("nginx-tuned", LARGE_BUFFERS),
            _Peer("direct", lambda repository: f"{upstream.blobs}/{repository}"),
        )


def _start(stack: ExitStack, folder: Path, upstream: Upstream, *interpreter: str | Path) -> Daemon:
    """The daemon as a streaming proxy."""
    off = ("--cache", "off")
    return Daemon.start(stack, folder, upstream.registry, *off, interpreter=interpreter)


def _through(daemon: Daemon, upstream: Upstream) -> _Peer:
    def url(repository: str) -> str:
        return f"{daemon.url}/v2/{repository}/blobs/{upstream.digest}"

    return _Peer("hubmirror", url, daemon.process)
