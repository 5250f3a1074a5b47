"""The limit of open files, of a process of its own."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from hubmirror.transport.descriptors import ENOUGH, connections_within

RAISE = """
import resource
from hubmirror.transport.descriptors import raise_limit
print(raise_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def raised(soft: int, hard: int) -> list[int]:
    """What a process that begins with these limits raises its own to, and what it has then."""
    done = subprocess.run(
        ("prlimit", f"--nofile={soft}:{hard}", sys.executable, "-c", RAISE),
        capture_output=True,
        text=True,
        check=True,
    )
    return [int(word) for word in done.stdout.split()]


def test_the_soft_limit_becomes_the_hard_one() -> None:
    """Nobody but the process itself holds it there."""
    assert raised(256, 1000) == [1000, 1000, 1000]
    assert raised(1000, 1000) == [1000, 1000, 1000]


def test_where_there_is_no_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some systems say so: a number is asked for all the same, and what they refuse is let be."""
    from hubmirror.transport import descriptors

    unbound = resource.RLIM_INFINITY
    limits = [(256, unbound)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: limits.append(pair))
    assert descriptors.raise_limit() == ENOUGH
    limits[:] = [(unbound, unbound)]
    assert descriptors.raise_limit() == ENOUGH
    assert len(limits) == 1

    def refuse(_what: int, _pair: tuple[int, int]) -> None:
        raise ValueError("no")

    limits[:] = [(256, unbound)]
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert descriptors.raise_limit() == 256


@pytest.mark.parametrize(
    ("limit", "wanted", "fitting"),
    [(20_000, 4096, 4096), (1024, 4096, 384), (1024, 100, 100), (64, 4096, 1)],
)
def test_connections_leave_room_for_their_files(limit: int, wanted: int, fitting: int) -> None:
    """And for all that is no client's."""
    assert connections_within(limit, wanted) == fitting
