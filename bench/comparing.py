"""From samples by peer to series that are compared with one another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bench.results import Aim, Series

__all__ = ["Samples", "by_peer", "compared"]

#: The samples of each peer, one a round.
Samples = Mapping[str, Sequence[float]]


def by_peer(names: Sequence[str], rounds: Sequence[Sequence[float]]) -> Samples:
    """The samples of each peer, from rounds that hold one of each peer in the order of names."""
    return dict(zip(names, zip(*rounds, strict=True), strict=True))


def compared(
    quantity: str, unit: str, samples: Samples, base: str, aim: Aim | None = None
) -> Iterator[Series]:
    """A series for each peer in ``samples``, against that of ``base``; ``aim`` is hubmirror's."""
    of_base = Series(quantity, base, unit, samples[base])
    for peer, values in samples.items():
        if peer == base:
            yield of_base
        else:
            own_aim = aim if peer == "hubmirror" else None
            yield Series(quantity, peer, unit, values, of_base, own_aim)
