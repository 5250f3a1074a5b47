"""A cold blob from a blob host that limits each connection, as a CDN far away does."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.comparing import by_peer
from bench.content import Content
from bench.peers import CACHES, Hub, new
from bench.reading import timed_get
from bench.results import Aim, Row, Series
from bench.rows.cold import LENGTH

__all__ = ["measure"]

#: What the blob host sends on one connection, in bytes a second.
RATE = 50e6
#: A third of the time of each other, that is three times as fast.
AIM = Aim(1 / 3)

_PEERS = (*CACHES, "direct")


def measure(rounds: int) -> Row:
    """One reader of each new cache in turn, ``rounds`` times over."""
    with TemporaryDirectory() as name, ExitStack() as stack:
        content = Content(Path(name) / "content")
        blob = content.blob(LENGTH)
        hub = Hub.start(stack, content, each=RATE)

        def seconds(peer: str) -> float:
            with new(peer, hub) as cache:
                return timed_get(f"{cache.url}{blob.path}", blob.length)

        samples = by_peer(_PEERS, [[seconds(peer) for peer in _PEERS] for _ in range(rounds)])
    quantity = "wall, 50 MB/s a connection"
    others = [Series(quantity, peer, "s", samples[peer]) for peer in _PEERS[1:]]
    own = [Series(quantity, "hubmirror", "s", samples["hubmirror"], base, AIM) for base in others]
    return Row("limited", [*own, *others])
