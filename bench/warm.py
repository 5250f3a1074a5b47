"""Caches that have what they are asked for: all run side by side, and are asked in turn."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from attrs import field, frozen

from bench.certificate import Certificate
from bench.comparing import Bases, against
from bench.content import MANIFEST_TYPE, NAME, TAG, Blob, Content
from bench.peers import TWO_WORKERS, Hub, Running, knows_workers, new
from bench.processes import processor_seconds
from bench.reading import body_of, timed_get
from bench.results import Row, Series

__all__ = ["Ask", "Meter", "Reading", "Target", "measured", "measuring", "row_of"]

#: A client that takes so much of a processor may be the limit, and not who is measured.
BUSY = 0.85


@frozen
class Target:
    """A warm cache, and what it can be asked for."""

    peer: str
    cache: Running
    blob: Blob
    manifest: Blob

    @property
    def by_tag(self) -> str:
        """The URL of the manifest by its tag."""
        return f"{self.cache.url}/v2/{NAME}/manifests/{TAG}"

    @property
    def by_digest(self) -> str:
        """The same by its digest."""
        return f"{self.cache.url}/v2/{NAME}/manifests/{self.manifest.digest}"

    @property
    def blob_url(self) -> str:
        """The URL of the blob."""
        return f"{self.cache.url}{self.blob.path}"


@frozen
class Reading:
    """One number of a sample.

    ``client`` is how many processors the client took meanwhile, ``failed`` which share of the
    answers were errors, which the value does not count.
    """

    quantity: str
    unit: str
    value: float
    client: float = 0.0
    failed: float = 0.0


#: Asks a target for something, once each round.
Ask = Callable[[Target], Sequence[Reading]]


@frozen
class Meter:
    """What was spent within: seconds of the clock, of the cache's processors, of the client's."""

    _spent: list[float] = field(factory=list)

    def stop(self, wall: float, cpu: float, client: float) -> None:
        """It is over."""
        self._spent[:] = wall, cpu, client

    @property
    def wall(self) -> float:
        """By the clock."""
        return self._spent[0]

    @property
    def cpu(self) -> float:
        """Of the cache, all its processes included."""
        return self._spent[1]

    @property
    def client(self) -> float:
        """How many processors the client took."""
        return self._spent[2] / self._spent[0]


@contextmanager
def measuring(cache: Running) -> Iterator[Meter]:
    """What is spent within; known afterwards."""
    meter = Meter()
    client, cpu, began = processor_seconds(), cache.cpu_seconds(), time.perf_counter()
    yield meter
    wall = time.perf_counter() - began
    meter.stop(wall, cache.cpu_seconds() - cpu, processor_seconds() - client)


def measured(
    name: str,
    rounds: int,
    peers: Sequence[str],
    ask: Ask,
    bases: Callable[[str], Bases],
    *,
    length: int,
    is_secure: bool = False,
) -> Row:
    """The row: ``ask`` of each of ``peers`` in turn, ``rounds`` times over.

    ``bases`` is what each quantity is compared with; ``length`` is the blob's.
    """
    found, notes = _present(peers)
    with _warmed(found, length, is_secure) as targets:
        samples = [
            {peer: _asked(ask, target) for peer, target in targets.items()} for _ in range(rounds)
        ]
    row = row_of(name, samples, bases)
    return Row(name, row.series, [*notes, *row.notes])


def row_of(
    name: str,
    samples: Sequence[Mapping[str, Sequence[Reading]]],
    bases: Callable[[str], Bases],
) -> Row:
    """From a sample of each peer in each round; not all peers need have been asked the same."""
    series: list[Series] = []
    notes: list[str] = []
    for (quantity, unit), readings in _by_quantity(samples).items():
        values = {peer: [one.value for one in found] for peer, found in readings.items()}
        series += against(quantity, unit, values, bases(quantity))
        clients = {peer: median(one.client for one in found) for peer, found in readings.items()}
        failed = {peer: max(one.failed for one in found) for peer, found in readings.items()}
        notes += [*_limits(quantity, clients), *_failures(quantity, failed)]
    return Row(name, series, notes)


def _by_quantity(
    samples: Sequence[Mapping[str, Sequence[Reading]]],
) -> Mapping[tuple[str, str], Mapping[str, Sequence[Reading]]]:
    """Under each quantity and its unit the readings of each peer that has it, one a round."""
    found: dict[tuple[str, str], dict[str, list[Reading]]] = {}
    for sample in samples:
        for peer, readings in sample.items():
            for reading in readings:
                quantity = found.setdefault((reading.quantity, reading.unit), {})
                quantity.setdefault(peer, []).append(reading)
    return found


def _asked(ask: Ask, target: Target) -> Sequence[Reading]:
    try:
        return ask(target)
    except RuntimeError as error:
        raise RuntimeError(f"{target.peer}: {error}") from error


def _limits(quantity: str, clients: Mapping[str, float]) -> Iterator[str]:
    busy = [f"{peer} ({took:.2f})" for peer, took in clients.items() if took > BUSY]
    if busy:
        yield f"{quantity}: the client took most of a processor, and may be the limit of " + (
            ", ".join(busy)
        )


def _present(peers: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Those that can be measured, and a word about those that can't."""
    if TWO_WORKERS not in peers or knows_workers():
        return peers, ()
    left = [peer for peer in peers if peer != TWO_WORKERS]
    return left, [f"{TWO_WORKERS}: skipped, for this hubmirror has no --workers"]


@contextmanager
def _warmed(peers: Sequence[str], length: int, is_secure: bool) -> Iterator[Mapping[str, Target]]:
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        certificate = Certificate.make(folder) if is_secure else None
        content = Content(folder / "content")
        blob = content.blob(length)
        manifest = content.image([blob])
        hub = Hub.start(stack, content)
        targets = {
            peer: Target(peer, stack.enter_context(new(peer, hub, certificate)), blob, manifest)
            for peer in peers
        }
        for target in targets.values():
            _warm(target, hub)
        yield targets


def _failures(quantity: str, shares: Mapping[str, float]) -> Iterator[str]:
    bad = [f"{peer} ({share:.2%})" for peer, share in shares.items() if share]
    if bad:
        yield f"{quantity}: some answers were errors, and are not counted: {', '.join(bad)}"


def _warm(target: Target, hub: Hub) -> None:
    """Ask until all comes from the cache: docker-registry keeps it behind its first answer.

    Raises ``RuntimeError`` where something else comes than what was asked for.
    """
    body_of(target.by_tag, MANIFEST_TYPE)
    wanted = {target.blob_url: target.blob, target.by_digest: target.manifest}
    for url, blob in wanted.items():
        body = body_of(url, MANIFEST_TYPE)
        if f"sha256:{hashlib.sha256(body).hexdigest()}" != blob.digest:
            raise RuntimeError(f"{url}: not what was asked for")
    before = -1
    while hub.sent() > before:
        before = hub.sent()
        timed_get(target.blob_url, target.blob.length)
