"""A blob that nobody has asked for yet, kept on its way: each download by a cache that is new."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.comparing import by_peer, compared
from bench.content import Blob, Content
from bench.peers import CACHES, Daemon, Hub, new
from bench.profiles import hottest_functions
from bench.reading import timed_get
from bench.results import Aim, Row

__all__ = ["LENGTH", "measure", "profile"]

LENGTH = 200 * 1024 * 1024
#: What the blob host sends in all, in bytes a second.
RATE = 100e6
#: For the wall time where the upstream is the limit, against a direct download.
AIM = Aim(1.05)

_PEERS = (*CACHES, "direct")


def measure(rounds: int) -> Row:
    """Each peer in turn, ``rounds`` times over, before a limited and an unlimited blob host."""
    with TemporaryDirectory() as name, ExitStack() as stack:
        content = Content(Path(name) / "content")
        blob = content.blob(LENGTH)
        limited, unlimited = Hub.start(stack, content, total=RATE), Hub.start(stack, content)
        samples = [
            [[_download(peer, hub, blob) for peer in _PEERS] for hub in (limited, unlimited)]
            for _ in range(rounds)
        ]
    slow, fast = (by_peer(_PEERS, rounds_of) for rounds_of in zip(*samples, strict=True))
    return Row(
        "cold",
        [
            *compared("wall, 100 MB/s upstream", "s", slow, "direct", AIM),
            *compared("wall, unlimited upstream", "s", fast, "nginx"),
        ],
    )


def profile() -> str:
    """A daemon under cProfile for one download from the unlimited blob host."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        statistics = folder / "profile"
        content = Content(folder / "content")
        blob = content.blob(LENGTH)
        with ExitStack() as stack:
            hub = Hub.start(stack, content)
            options = ("-m", "cProfile", "-o", statistics)
            daemon = Daemon.start(stack, folder, hub.registry, interpreter=options)
            timed_get(f"{daemon.url}{blob.path}", LENGTH)
        return hottest_functions(statistics)


def _download(peer: str, hub: Hub, blob: Blob) -> float:
    with new(peer, hub) as cache:
        return timed_get(f"{cache.url}{blob.path}", blob.length)
