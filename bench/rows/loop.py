"""A warm manifest's slowest answers while large blobs are fetched: does the loop ever stall?"""

from __future__ import annotations

import select
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.comparing import by_peer
from bench.content import MANIFEST_TYPE, NAME, TAG, Blob, Content
from bench.peers import CACHES, Hub, new
from bench.prober import percentile, probing
from bench.reading import body_of, timed_gets
from bench.results import Aim, Row, Series
from bench.rows.cold import LENGTH

__all__ = ["measure"]

FETCHES = 4
#: Of one run, in seconds.
QUIET = 2.0
#: For the 99th percentile during the fetches, against that of a quiet cache.
AIM = Aim(5.0)

#: For how many bytes a second the blob host is good in all, and its name; None: no limit.
_RATES = {"100 MB/s": 100e6, "unlimited": None}


def measure(rounds: int) -> Row:
    """Each new cache in turn, ``rounds`` times over: first quiet, then with all the fetches."""
    series: list[Series] = []
    with TemporaryDirectory() as name, ExitStack() as stack:
        content = Content(Path(name) / "content")
        blobs = [content.blob(LENGTH) for _ in range(FETCHES)]
        content.image([content.blob(1000)])  # not of these blobs: they would be fetched ahead
        for words, rate in _RATES.items():
            hub = Hub.start(stack, content, **({} if rate is None else {"total": rate}))
            # At 100 MB/s the others would take minutes, for what a processor at rest can do.
            peers = tuple(CACHES) if rate is None else ("hubmirror",)
            samples = [[_percentiles(peer, hub, blobs) for peer in peers] for _ in range(rounds)]
            series += _series(words, peers, samples)
    return Row("loop", series)


def _percentiles(peer: str, hub: Hub, blobs: Sequence[Blob]) -> tuple[float, float]:
    """The 99th percentile of a manifest's milliseconds, quiet and during the fetches."""
    with new(peer, hub) as cache:
        manifest = f"{cache.url}/v2/{NAME}/manifests/{TAG}"
        body_of(manifest, MANIFEST_TYPE)
        with probing(manifest) as quiet:
            select.select([], [], [], QUIET)
        with probing(manifest) as busy:
            timed_gets([f"{cache.url}{blob.path}" for blob in blobs], LENGTH)
    return percentile(quiet.milliseconds, 0.99), percentile(busy.milliseconds, 0.99)


def _series(
    words: str, peers: Sequence[str], samples: Sequence[Sequence[tuple[float, float]]]
) -> list[Series]:
    quiet = by_peer(peers, [[sample[0] for sample in each] for each in samples])
    busy = by_peer(peers, [[sample[1] for sample in each] for each in samples])
    found: list[Series] = []
    for peer in peers:
        base = Series(f"p99, quiet ({words})", peer, "ms", quiet[peer])
        aim = AIM if peer == "hubmirror" else None
        found += [base, Series(f"p99, {FETCHES} fetches", peer, "ms", busy[peer], base, aim)]
    return found
