"""A kept manifest, which is all that most questions to a mirror are about."""

from __future__ import annotations

from collections.abc import Sequence

from bench.comparing import Bases
from bench.peers import TWO_WORKERS
from bench.results import Aim, Row
from bench.warm import Reading, Target, measured, measuring
from bench.wrk import ask_often

__all__ = ["PEERS", "asked", "measure"]

PEERS = ("hubmirror", TWO_WORKERS, "docker-registry", "nginx")
#: wrk's, in one sample.
SECONDS = 2

_NGINX = {"hubmirror": Aim(least=0.3), TWO_WORKERS: Aim(least=0.5)}
#: It asks its upstream about a tag each time.
_BY_TAG, _BY_DIGEST = Aim(least=100), Aim(least=30)


def measure(rounds: int) -> Row:
    """By tag and by digest with 32 connections, by tag with 256."""
    return measured("manifests", rounds, PEERS, _ask, _bases, length=1000)


def asked(
    words: str, url: str, target: Target, connections: int, seconds: int = SECONDS
) -> Sequence[Reading]:
    """How many a second, and what each cost the cache."""
    quantity = f"{words}, {connections} connection{'s' if connections > 1 else ''}"
    with measuring(target.cache) as meter:
        answers = ask_often(url, seconds, connections)
    each = meter.cpu / (answers.rate * seconds)
    return (
        Reading(quantity, "/s", answers.rate, meter.client, answers.failed),
        Reading(f"{quantity}, CPU", "us", each * 1e6),
    )


def _ask(target: Target) -> Sequence[Reading]:
    """docker-registry asks its upstream about each tag: of 256 at once, it gives some up."""
    few = (
        *asked("by tag", target.by_tag, target, 32),
        *asked("by digest", target.by_digest, target, 32),
    )
    if target.peer == "docker-registry":
        return few
    return (*few, *asked("by tag", target.by_tag, target, 256))


def _bases(quantity: str) -> Bases:
    if "CPU" in quantity:
        return {"hubmirror": {"nginx": None}, TWO_WORKERS: {"hubmirror": None}}
    registry = _BY_TAG if "by tag" in quantity else _BY_DIGEST
    return {
        "hubmirror": {"nginx": _NGINX["hubmirror"], "docker-registry": registry},
        TWO_WORKERS: {"nginx": _NGINX[TWO_WORKERS], "hubmirror": None},
    }
