"""What is kept already: how fast it goes out, and what that costs."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import frozen

from bench.comparing import by_peer, compared
from bench.content import MANIFEST_TYPE, NAME, TAG, Blob, Content
from bench.peers import CACHES, Hub, Running, new
from bench.reading import body_of, timed_get
from bench.results import Row
from bench.rows.cold import LENGTH
from bench.wrk import manifests_a_second

__all__ = ["measure"]

#: Downloads in one sample: CPU time comes in steps of 10 ms.
REPEATS = 5
#: For the manifests: wrk's seconds a sample.
SECONDS = 2


@frozen
class _Sample:
    """Of blobs: GB a second and CPU seconds a GB; of manifests: a second, and CPU ms each."""

    rate: float
    cpu: float
    manifests: float
    manifest_cpu: float


def measure(rounds: int) -> Row:
    """All caches run side by side and are asked in turn; what they are asked for is kept."""
    with TemporaryDirectory() as name, ExitStack() as stack:
        content = Content(Path(name) / "content")
        blob = content.blob(LENGTH)
        content.image([blob])
        hub = Hub.start(stack, content)
        caches = [stack.enter_context(new(peer, hub)) for peer in CACHES]
        for cache in caches:
            _warm(cache, hub, blob)
        samples = [[_sample(cache, blob) for cache in caches] for _ in range(rounds)]
    peers = tuple(CACHES)
    columns = {
        field: by_peer(peers, [[getattr(sample, field) for sample in each] for each in samples])
        for field in ("rate", "cpu", "manifests", "manifest_cpu")
    }
    return Row(
        "warm",
        [
            *compared("blob", "GB/s", columns["rate"], "nginx"),
            *compared("blob, CPU", "s/GB", columns["cpu"], "nginx"),
            *compared("manifest by tag", "/s", columns["manifests"], "nginx"),
            *compared("manifest by tag, CPU", "ms", columns["manifest_cpu"], "nginx"),
        ],
    )


def _warm(cache: Running, hub: Hub, blob: Blob) -> None:
    """Ask until the blob comes from the cache: docker-registry keeps it behind its first answer."""
    body_of(_manifest(cache), MANIFEST_TYPE)
    timed_get(f"{cache.url}{blob.path}", blob.length)
    before = -1
    while hub.sent() > before:
        before = hub.sent()
        timed_get(f"{cache.url}{blob.path}", blob.length)


def _sample(cache: Running, blob: Blob) -> _Sample:
    spent, began = cache.cpu_seconds(), time.perf_counter()
    for _ in range(REPEATS):
        timed_get(f"{cache.url}{blob.path}", blob.length)
    gigabytes = REPEATS * blob.length / 1e9
    rate = gigabytes / (time.perf_counter() - began)
    cpu = (cache.cpu_seconds() - spent) / gigabytes
    spent = cache.cpu_seconds()
    manifests = manifests_a_second(_manifest(cache), SECONDS)
    each = (cache.cpu_seconds() - spent) / (manifests * SECONDS)
    return _Sample(rate, cpu, manifests, each * 1000)


def _manifest(cache: Running) -> str:
    return f"{cache.url}/v2/{NAME}/manifests/{TAG}"
