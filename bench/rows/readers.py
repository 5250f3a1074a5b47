"""Many readers of one cold blob at once: what it costs upstream, and the last of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import frozen

from bench.content import Blob, Content
from bench.peers import CACHES, Hub, new
from bench.reading import timed_gets
from bench.results import Aim, Row, Series
from bench.rows.cold import LENGTH, RATE

__all__ = ["measure"]

READERS = 16
#: For the last byte of the last reader, against a reader that is alone.
AIM = Aim(1.1)
#: For the bytes that the blob host sends: not a second connection's first packet more.
BYTES_AIM = Aim(1.001)
#: It fetches the blob anew for each reader, which takes so long that once must do.
_ONCE = "docker-registry"


@frozen
class _Sample:
    """The last reader's seconds, alone and among all; how often the blob was sent for all."""

    alone: float
    last: float
    sent: float


def measure(rounds: int) -> Row:
    """Each new cache in turn, once with one reader, once with all; docker-registry once only."""
    samples: defaultdict[str, list[_Sample]] = defaultdict(list)
    with TemporaryDirectory() as name, ExitStack() as stack:
        content = Content(Path(name) / "content")
        blob = content.blob(LENGTH)
        hub = Hub.start(stack, content, total=RATE)
        for number in range(rounds):
            for peer in CACHES:
                if peer != _ONCE or number == 0:
                    samples[peer].append(_sample(peer, hub, blob))
    return Row("readers", [each for peer in CACHES for each in _series(peer, samples[peer])])


def _sample(peer: str, hub: Hub, blob: Blob) -> _Sample:
    alone, _ = _read(peer, hub, blob, 1)
    last, sent = _read(peer, hub, blob, READERS)
    return _Sample(alone, last, sent)


def _read(peer: str, hub: Hub, blob: Blob, readers: int) -> tuple[float, float]:
    """Seconds to the last byte, and how often the blob host has sent the blob by then."""
    with new(peer, hub) as cache:
        before = hub.sent()
        seconds = max(timed_gets([f"{cache.url}{blob.path}"] * readers, blob.length))
        return seconds, (hub.sent() - before) / blob.length


def _series(peer: str, samples: list[_Sample]) -> Iterator[Series]:
    aim, bytes_aim = (AIM, BYTES_AIM) if peer == "hubmirror" else (None, None)
    alone = Series("1 reader", peer, "s", [each.alone for each in samples])
    yield alone
    last = [each.last for each in samples]
    yield Series(f"last of {READERS} readers", peer, "s", last, alone, aim)
    sent = [each.sent for each in samples]
    yield Series("sent upstream", peer, "blobs", sent, aim=bytes_aim)
