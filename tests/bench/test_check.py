"""What counts as worse than before."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.check import committed, worse
from bench.results import Aim, Row, Series, write

ONE = (1.0, 1.0, 1.0)


def row(samples: Sequence[float], unit: str = "s", peer: str = "hubmirror") -> Row:
    """A row in which ``peer`` has these ratios to nginx."""
    nginx = Series("wall", "nginx", unit, ONE)
    return Row("cold", [Series("wall", peer, unit, samples, nginx), nginx])


@pytest.mark.parametrize(
    ("unit", "before", "now", "is_worse"),
    [
        ("s", (0.99, 1.0, 1.01), (1.19, 1.2, 1.21), True),
        ("s", (1.19, 1.2, 1.21), (0.99, 1.0, 1.01), False),
        ("/s", (0.99, 1.0, 1.01), (1.19, 1.2, 1.21), False),
        ("/s", (1.19, 1.2, 1.21), (0.99, 1.0, 1.01), True),
    ],
)
def test_more_seconds_are_worse_and_fewer_a_second(
    unit: str, before: Sequence[float], now: Sequence[float], is_worse: bool
) -> None:
    """What became better is never told."""
    assert bool(list(worse(row(before, unit), row(now, unit)))) is is_worse


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ((0.8, 1.0, 1.2), (1.19, 1.2, 1.21)),  # it was as scattered before
        ((0.99, 1.0, 1.01), (1.0, 1.2, 1.4)),  # it is so now
        ((1.0,), (1.02,)),  # a single round does not know its spread
    ],
)
def test_within_the_spread_nothing_is_worse(before: Sequence[float], now: Sequence[float]) -> None:
    """The larger one of both runs counts, and a little always."""
    samples = [Series("wall", "nginx", "s", (1.0,) * len(each)) for each in (before, now)]
    old, new = (
        Row("cold", [Series("wall", "hubmirror", "s", each, base)])
        for each, base in zip((before, now), samples, strict=True)
    )
    assert not list(worse(old, new))


def test_a_machine_that_is_slower_makes_nothing_worse() -> None:
    """Both peers are: ratios are compared, not seconds."""
    slow = Series("wall", "nginx", "s", (3.0, 3.0, 3.0))
    now = Row("cold", [Series("wall", "hubmirror", "s", (3.0, 3.0, 3.0), slow), slow])
    assert not list(worse(row(ONE), now))


def test_only_our_own_are_judged() -> None:
    """Another peer may become as slow as it likes."""
    assert not list(worse(row(ONE, peer="direct"), row((2.0, 2.0, 2.0), peer="direct")))


def test_values_with_an_aim_are_compared_too() -> None:
    """They are those that don't depend on the machine's speed, such as memory."""

    def resident(mib: float, aim: Aim | None) -> Row:
        return Row("rest", [Series("RSS", "hubmirror", "MiB", (mib, mib), aim=aim)])

    assert list(worse(resident(60, Aim(80)), resident(70, Aim(80))))
    assert not list(worse(resident(60, None), resident(70, None)))


def test_what_is_new_has_nothing_to_be_worse_than() -> None:
    """As after a row was extended."""
    assert not list(worse(Row("cold", []), row((9.0, 9.0, 9.0))))


def test_a_complaint_says_by_how_much() -> None:
    """And with what it is compared."""
    (change,) = worse(row(ONE), row((1.4, 1.5, 1.6)))
    assert str(change) == ("cold: wall, hubmirror: 1.5 x nginx, before 1 (spread 0.2)")


def git(folder: Path, *arguments: str) -> None:
    """Run git in a checkout of the test's own."""
    names = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.org")
    subprocess.run(("git", "-C", folder, *names, *arguments), check=True, capture_output=True)


def test_the_last_commit_is_what_is_compared_with(tmp_path: Path) -> None:
    """Whatever lies in the folder by now."""
    git(tmp_path, "init")
    path = write(row(ONE), tmp_path / "results", {})
    git(tmp_path, "add", "results")
    git(tmp_path, "commit", "--message", "Results")
    write(row((2.0, 2.0, 2.0)), tmp_path / "results", {})
    found = committed(path)
    assert found is not None
    assert found.series[0].samples == ONE
    assert committed(path.with_name("other.json")) is None


def test_without_a_checkout_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    """Which is said, and not taken for well."""
    with pytest.raises(RuntimeError, match="no git checkout"):
        committed(tmp_path / "cold.json")
