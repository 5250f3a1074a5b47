"""How the cost of a kept manifest grows with connections, and the memory with idle ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import evolve

from bench.certificate import Certificate
from bench.comparing import against, by_peer
from bench.content import MANIFEST_TYPE, NAME, TAG, Content
from bench.idle import idle_connections
from bench.peers import Hub, new
from bench.reading import body_of
from bench.results import FLAT, Row, Series
from bench.rows.manifests import asked
from bench.warm import Reading, Target, measured

__all__ = ["COUNTS", "measure"]

COUNTS = (1, 10, 100, 1000)
#: What the others are compared with: a connection that is alone has each turn of the reactor for
#: itself.
_BASE = COUNTS[1]
#: How many are idle while memory is measured.
IDLE = 1000

_PEERS = ("hubmirror", "nginx")


def measure(rounds: int) -> Row:
    """A manifest by tag at each count, then the memory of idle connections, without and in TLS."""
    row = measured("connections", rounds, _PEERS, _ask, lambda _: {}, length=1000)
    return Row("connections", [*_flat(row.series), *_idle(rounds)], row.notes)


def _ask(target: Target) -> Sequence[Reading]:
    return [
        reading for count in COUNTS for reading in asked("by tag", target.by_tag, target, count)
    ]


def _flat(series: Sequence[Series]) -> Iterator[Series]:
    """What is more than ``_BASE`` connections should cost as much, each time."""
    base: Series | None = None
    for one in series:
        if not one.is_ours or not one.quantity.endswith("CPU"):
            yield one
            continue
        yield one if base is None else evolve(one, base=base, aim=FLAT)
        if f" {_BASE} connections" in one.quantity:
            base = one


def _idle(rounds: int) -> Iterator[Series]:
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        content = Content(folder / "content")
        content.image([content.blob(1000)])
        hub = Hub.start(stack, content)
        for words, certificate in (("", None), (" in TLS", Certificate.make(folder))):
            samples = [[_kib(peer, hub, certificate) for peer in _PEERS] for _ in range(rounds)]
            quantity = f"memory of an idle connection{words}"
            yield from against(quantity, "KiB", by_peer(_PEERS, samples), {})


def _kib(peer: str, hub: Hub, certificate: Certificate | None) -> float:
    """KiB of a connection, in a cache that is new: an older one has memory at hand."""
    with new(peer, hub, certificate) as cache:
        url = f"{cache.url}/v2/{NAME}/manifests/{TAG}"
        body_of(url, MANIFEST_TYPE)
        before = cache.resident_mib()
        try:
            with idle_connections(url, IDLE):
                return (cache.resident_mib() - before) * 1024 / IDLE
        except RuntimeError as error:
            raise RuntimeError(f"{peer}: {error}") from error
