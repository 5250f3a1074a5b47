"""How a pull grows with the image's layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.comparing import by_peer
from bench.content import Content
from bench.dockerd import timed_pull
from bench.peers import Hub, new
from bench.results import FLAT, OURS, Row, Series

__all__ = ["measure"]

COUNTS, LENGTH = (1, 10, 100), 256 * 1024
#: What more are compared with: of one layer alone, the manifest and the connections cost most.
_BASE = COUNTS[1]

_KINDS = ("cold", "kept")


def measure(rounds: int) -> Row:
    """Of each size in turn, ``rounds`` times over: by a new cache, and then by the same again."""
    with TemporaryDirectory() as name, ExitStack() as stack:
        hubs = {count: _hub(stack, Path(name) / str(count), count) for count in COUNTS}
        rounds_of = [[_pulls(hub) for hub in hubs.values()] for _ in range(rounds)]
    series: list[Series] = []
    for number, kind in enumerate(_KINDS):
        seconds = [[pulls[number] for pulls in each] for each in rounds_of]
        named = by_peer([str(count) for count in COUNTS], seconds)
        series += _series(kind, {int(count): values for count, values in named.items()})
    return Row("image-size", series)


def _hub(stack: ExitStack, folder: Path, layers: int) -> Hub:
    content = Content(folder)
    content.image([content.blob(LENGTH) for _ in range(layers)])
    return Hub.start(stack, content)


def _pulls(hub: Hub) -> tuple[float, float]:
    with new("hubmirror", hub) as cache:
        return timed_pull(cache.url), timed_pull(cache.url)


def _series(kind: str, seconds: Mapping[int, Sequence[float]]) -> Iterator[Series]:
    """A whole pull, and what each layer of it costs: that of many no more than that of some."""
    base: Series | None = None
    for count, values in seconds.items():
        yield Series(f"{kind} pull, {count} layers", OURS, "s", values)
        each = [value / count * 1000 for value in values]
        words = f"{kind} pull, each of {count} layers"
        own = Series(words, OURS, "ms", each, base, FLAT if base else None)
        yield own
        if count == _BASE:
            base = own
