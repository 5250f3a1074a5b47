"""A kept manifest by tag over TLS, on connections that are kept, too."""

from __future__ import annotations

from collections.abc import Sequence

from bench.comparing import Bases
from bench.peers import TWO_WORKERS
from bench.results import Aim, Row
from bench.rows.manifests import asked
from bench.warm import Reading, Target, measured

__all__ = ["measure"]

AIM = Aim(least=0.5)
#: wrk's: it counts from the first handshake, and 256 of them take a second of the client's.
SECONDS = 8

_PEERS = ("hubmirror", TWO_WORKERS, "nginx")


def measure(rounds: int) -> Row:
    """With 32 and with 256 connections."""
    return measured("manifests-tls", rounds, _PEERS, _ask, _bases, length=1000, is_secure=True)


def _ask(target: Target) -> Sequence[Reading]:
    return [
        reading
        for connections in (32, 256)
        for reading in asked("by tag", target.by_tag, target, connections, SECONDS)
    ]


def _bases(quantity: str) -> Bases:
    aim = None if "CPU" in quantity else AIM
    return {
        "hubmirror": {"nginx": aim},
        TWO_WORKERS: {"nginx": aim, "hubmirror": None},
    }
