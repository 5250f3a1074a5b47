"""A kept blob over TLS 1.3, of one cipher for all."""

from __future__ import annotations

from bench.comparing import Bases
from bench.peers import TWO_WORKERS
from bench.results import Aim, Row
from bench.warm_blobs import measured_blobs

__all__ = ["measure"]

AS_NGINX = Aim(least=1.0)
AS_DOCKER_REGISTRY = Aim(least=1.5)

_RATES: Bases = {
    "hubmirror": {
        "nginx": AS_NGINX,
        "nginx, files": AS_NGINX,
        "docker-registry": AS_DOCKER_REGISTRY,
    },
    TWO_WORKERS: {"hubmirror": None, "nginx": None},
}
_SPENT: Bases = {
    "hubmirror": {"nginx": None, "docker-registry": None},
    TWO_WORKERS: {"hubmirror": None},
}


def measure(rounds: int) -> Row:
    """One client, then eight at once."""

    def bases(quantity: str) -> Bases:
        return _SPENT if "CPU" in quantity else _RATES

    return measured_blobs("blob-tls", rounds, bases, is_secure=True)
