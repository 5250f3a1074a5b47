"""A kept blob without TLS."""

from __future__ import annotations

from bench.comparing import Bases
from bench.peers import TWO_WORKERS
from bench.results import Aim, Row
from bench.warm_blobs import measured_blobs

__all__ = ["measure"]

FAST = Aim(least=1.0)
#: Of the processor's time.
FRUGAL = Aim(most=1.0)

_RATES: Bases = {
    "hubmirror": {"nginx": FAST, "nginx, files": FAST, "docker-registry": FAST},
    TWO_WORKERS: {"hubmirror": None, "nginx": None},
}
_SPENT: Bases = {
    "hubmirror": {"nginx": None, "docker-registry": FRUGAL},
    TWO_WORKERS: {"hubmirror": None},
}


def measure(rounds: int) -> Row:
    """One client, then eight at once."""
    return measured_blobs("blob-plain", rounds, lambda what: _SPENT if "CPU" in what else _RATES)
