"""New connections in TLS, each for one manifest that is kept."""

from __future__ import annotations

from collections.abc import Sequence

from bench.comparing import ITSELF, Bases
from bench.handshakes import connect_often
from bench.peers import TWO_WORKERS
from bench.results import Aim, Row
from bench.rows.manifests import PEERS
from bench.warm import Reading, Target, measured, measuring

__all__ = ["measure"]

SECONDS = 3
#: Of connections a second, and of what one costs: the client takes more of the processor than
#: most peers, so with few processors only the second tells how many there could be.
OFTEN, FRUGAL = Aim(least=0.5), Aim(most=2.0)
#: A session must be resumed by whichever process accepts the connection.
ALL = Aim(least=0.99)


def measure(rounds: int) -> Row:
    """With a full handshake, then resuming a session."""
    return measured("handshakes", rounds, PEERS, _ask, _bases, length=1000, is_secure=True)


def _ask(target: Target) -> Sequence[Reading]:
    return [reading for mode in ("full", "resumed") for reading in _connect(target, mode)]


def _connect(target: Target, mode: str) -> Sequence[Reading]:
    with measuring(target.cache) as meter:
        found = connect_often(target.by_digest, SECONDS, mode)
    readings = (
        Reading(mode, "/s", found.made / found.seconds, meter.client),
        Reading(f"{mode}, CPU", "ms", meter.cpu / found.made * 1000),
    )
    if mode == "full":
        return readings
    return (*readings, Reading("really resumed", "of all", found.resumed / found.made))


def _bases(quantity: str) -> Bases:
    if quantity == "really resumed":
        return {peer: {ITSELF: ALL} for peer in ("hubmirror", TWO_WORKERS)}
    aim = FRUGAL if "CPU" in quantity else OFTEN
    return {"hubmirror": {"nginx": aim}, TWO_WORKERS: {"nginx": aim, "hubmirror": None}}
