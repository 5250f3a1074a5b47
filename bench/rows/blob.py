"""A cold blob: through hubmirror, through nginx as a plain reverse proxy, and direct."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import frozen

from bench.peers import LARGE_BUFFERS, LIMITED, UNLIMITED, Daemon, Upstream, start_proxy
from bench.processes import Process
from bench.profiles import hottest_functions
from bench.reading import timed_get
from bench.results import Aim, Row, Series

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
        "blob",
        [
            *_compared("wall, 100 MB/s upstream", "s", _by_peer(names, limited), "direct", AIM),
            *_compared("wall, unlimited upstream", "s", _by_peer(names, walls), "direct"),
            *_compared("CPU, unlimited upstream", "s/GB", _by_peer(names[:-1], spent), "nginx"),
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
            mirror = _through(Daemon.start(stack, folder, upstream.registry, *options), upstream)
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
            process, url = start_proxy(stack, folder / name, upstream, buffers)
            return _Peer(name, lambda repository: f"{url}/{repository}", process)

        yield (
            _through(Daemon.start(stack, folder, upstream.registry), upstream),
            proxy("nginx", ""),
            proxy("nginx-tuned", LARGE_BUFFERS),
            _Peer("direct", lambda repository: f"{upstream.blobs}/{repository}"),
        )


def _through(daemon: Daemon, upstream: Upstream) -> _Peer:
    def url(repository: str) -> str:
        return f"{daemon.url}/v2/{repository}/blobs/{upstream.digest}"

    return _Peer("hubmirror", url, daemon.process)


def _compared(
    quantity: str,
    unit: str,
    samples: Mapping[str, Sequence[float]],
    base: str,
    aim: Aim | None = None,
) -> Iterator[Series]:
    """A series for each peer in ``samples``, against that of ``base``; ``aim`` is hubmirror's."""
    of_base = Series(quantity, base, unit, samples[base])
    for peer, values in samples.items():
        if peer == base:
            yield of_base
        else:
            own_aim = aim if peer == "hubmirror" else None
            yield Series(quantity, peer, unit, values, of_base, own_aim)


def _by_peer(
    names: Sequence[str], rounds: Sequence[Sequence[float]]
) -> Mapping[str, Sequence[float]]:
    """The samples of each peer, from rounds that hold one of each peer in the order of names."""
    return dict(zip(names, zip(*rounds, strict=True), strict=True))
