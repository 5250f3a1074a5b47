"""From samples by peer to series that are compared with one another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from attrs import evolve

from bench.results import Aim, Series

__all__ = ["ITSELF", "Bases", "Samples", "against", "by_peer", "compared"]

#: The samples of each peer, one a round.
Samples = Mapping[str, Sequence[float]]
#: The base of what is aimed at by its own value.
ITSELF = ""
#: Whom each of our own peers is compared with, and what is aimed at.
Bases = Mapping[str, Mapping[str, Aim | None]]


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


def against(quantity: str, unit: str, samples: Samples, bases: Bases) -> Iterator[Series]:
    """Each of our own peers against each of its bases, then all others alone.

    Who was not measured is left out, as a peer and as a base.
    """
    alone = {peer: Series(quantity, peer, unit, values) for peer, values in samples.items()}
    for peer, own in alone.items():
        known = {ITSELF, *alone}
        aims = {base: aim for base, aim in bases.get(peer, {}).items() if base in known}
        for base, aim in aims.items():
            yield evolve(own, base=alone.get(base), aim=aim)
        if not aims:
            yield own
