"""What the rows of kept blobs share, in TLS or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.comparing import Bases
from bench.peers import WARM
from bench.reading import timed_gets
from bench.results import Row
from bench.rows.cold import LENGTH
from bench.warm import Reading, Target, measured, measuring

__all__ = ["measured_blobs"]

#: How many read at once. In a sample the last of them is also how often a client that is alone
#: reads, so that each takes as much: CPU time comes in steps of 10 ms.
CLIENTS = (1, 8)


def measured_blobs(
    name: str, rounds: int, bases: Callable[[str], Bases], *, is_secure: bool = False
) -> Row:
    """A kept blob of each peer in turn, by one client and by several at once."""
    return measured(name, rounds, tuple(WARM), _ask, bases, length=LENGTH, is_secure=is_secure)


def _ask(target: Target) -> Sequence[Reading]:
    return [reading for clients in CLIENTS for reading in _read(target, clients)]


def _read(target: Target, clients: int) -> Sequence[Reading]:
    turns = CLIENTS[-1] // clients
    with measuring(target.cache) as meter:
        for _ in range(turns):
            timed_gets([target.blob_url] * clients, target.blob.length)
    gigabytes = turns * clients * target.blob.length / 1e9
    words = f"{clients} client{'s' if clients > 1 else ''}"
    return (
        Reading(words, "GB/s", gigabytes / meter.wall, meter.client),
        Reading(f"{words}, CPU", "s/GB", meter.cpu / gigabytes),
    )
