"""Answers written by the channel itself are those that the tree of resources would write.

Two mirrors that are equal but for that get the same requests, right and hostile, and must say the
same, byte for byte, log the same, and count the same.
"""

from __future__ import annotations

import re
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from itertools import islice
from multiprocessing import get_context
from typing import Any

from attrs import frozen

from tests.registry.sides import Play

REQUESTS = 100_000


@frozen
class Outcome:
    """Of a whole play: a digest of what was told at each step, all statuses, and the counters."""

    steps: list[bytes]
    statuses: Counter[bytes]
    counted: dict[str, Any]


def play(count: int, is_quick: bool) -> Outcome:
    """All of it; also for a process of its own."""
    steps, statuses = [], Counter[bytes]()
    whole = Play(count, is_quick=is_quick)
    for told in whole.told():
        steps.append(sha256(repr(told).encode()).digest())
        statuses.update(re.findall(rb"HTTP/1\.[01] (\d{3}) ", told.got))
    return Outcome(steps, statuses, whole.counted())


def test_both_ways_are_one() -> None:
    """Byte for byte, line for line, number for number."""
    with ProcessPoolExecutor(1, get_context("spawn")) as other:
        usual_later = other.submit(play, REQUESTS, False)
        quick = play(REQUESTS, True)
        usual = usual_later.result()
    if quick.steps != usual.steps:
        _show_difference(
            next(
                at
                for at, pair in enumerate(zip(quick.steps, usual.steps, strict=True))
                if len(set(pair)) > 1
            )
        )
    assert quick.counted == usual.counted
    assert {b"200", b"206", b"304", b"400", b"401", b"404", b"405", b"429"} <= quick.statuses.keys()
    assert quick.statuses[b"200"] > REQUESTS // 4
    assert quick.statuses == usual.statuses


def _show_difference(step: int) -> None:
    quick, usual = Play(REQUESTS, is_quick=True), Play(REQUESTS, is_quick=False)
    pairs = zip(quick.told(), usual.told(), strict=True)
    one, other = next(islice(pairs, step, None))
    assert one == other
    raise AssertionError(f"step {step} differs, but not when it is repeated")
