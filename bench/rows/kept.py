"""A cache that holds much: how start, look-up and memory grow with it."""

from __future__ import annotations

import hashlib
import http.client
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from attrs import frozen

from bench.content import NAME, Content
from bench.peers import Daemon, Hub
from bench.results import FLAT, OURS, Row, Series
from hubmirror.cache.interfaces import BlobRow, Link, Publicity
from hubmirror.cache.rows import BLOBS, LINKS, PUBLICITY, Change
from hubmirror.cache.twin_files import TwinFiles
from hubmirror.naming import Repository, parse_digest

__all__ = ["measure"]

COUNTS, SHORT_COUNTS = (1_000, 10_000, 100_000), (1_000, 10_000)
#: Blobs that are looked up in one sample.
LOOKUPS = 200


@frozen
class _Sample:
    """Seconds to listening, milliseconds of a middling look-up, and MiB of memory after all."""

    start: float
    lookup: float
    resident: float


def measure(rounds: int, *, is_short: bool = False) -> Row:
    """One daemon after another on each of the folders in turn, ``rounds`` times over."""
    counts = SHORT_COUNTS if is_short else COUNTS
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        hub = Hub.start(stack, Content(folder / "content"))
        repository = Repository(urlsplit(hub.registry).netloc, NAME)
        folders = {count: folder / str(count) for count in counts}
        for count, place in folders.items():
            _fill(place / "data", repository, count)
        samples = [[_sample(hub, folders[count], count) for count in counts] for _ in range(rounds)]
    return Row("kept", list(_series(counts, list(zip(*samples, strict=True)))))


def _sample(hub: Hub, folder: Path, count: int) -> _Sample:
    with ExitStack() as stack:
        daemon = Daemon.start(stack, folder, hub.registry)
        started = time.perf_counter() - daemon.process.began
        looked_up = _looked_up(daemon.url, count)
        return _Sample(started, median(looked_up) * 1000, daemon.process.resident_mib())


def _looked_up(url: str, count: int) -> Iterator[float]:
    """How many seconds each of some blobs took, one after the other on one connection."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    for number in Random(count).sample(range(count), LOOKUPS):  # noqa: S311
        body = _body(number)
        began = time.perf_counter()
        connection.request("GET", f"/v2/{NAME}/blobs/{_digest(body)}")
        if connection.getresponse().read() != body:
            raise RuntimeError(f"{url} does not have what was kept there")
        yield time.perf_counter() - began
    connection.close()


def _fill(data: Path, repository: Repository, count: int) -> None:
    """A data folder with ``count`` small blobs of a public repository."""
    blobs = data / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    now = time.time()
    changes: list[Change] = [PUBLICITY.put((repository, Publicity(True, now)))]
    for body in map(_body, range(count)):
        digest = parse_digest(_digest(body))
        (blobs / digest.encoded).write_bytes(body)
        changes.append(BLOBS.put(BlobRow(digest, len(body), now)))
        changes.append(LINKS.put(Link(repository, digest, None)))
    index = TwinFiles(data)
    index.open()
    index.write([lambda _: changes])
    index.close()


def _body(number: int) -> bytes:
    return b"%d " % number * 100


def _digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _series(counts: Sequence[int], samples: Sequence[Sequence[_Sample]]) -> Iterator[Series]:
    """Each quantity at each count, against the least; and what a blob more adds to it."""
    for quantity, field, unit, each, factor, aim in (
        ("start to listening", "start", "s", "us", 1e6, None),
        ("look-up", "lookup", "ms", "us", 1e3, FLAT),
        ("RSS", "resident", "MiB", "bytes", 2**20, None),
    ):
        values = [[getattr(sample, field) for sample in of_count] for of_count in samples]
        base = Series(f"{quantity}, {counts[0]} blobs", OURS, unit, values[0])
        yield base
        for count, of_count in zip(counts[1:], values[1:], strict=True):
            yield Series(f"{quantity}, {count} blobs", OURS, unit, of_count, base, aim)
        more = counts[-1] - counts[0]
        ends = zip(values[0], values[-1], strict=True)
        slope = [(last - first) / more * factor for first, last in ends]
        yield Series(f"{quantity}, a blob more", OURS, each, slope)
