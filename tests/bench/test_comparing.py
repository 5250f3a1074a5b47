"""From rounds to series."""

from __future__ import annotations

from bench.comparing import ITSELF, against, by_peer, compared
from bench.results import Aim

FAST = Aim(least=1.0)


def test_rounds_are_turned_into_samples_of_peers() -> None:
    """A round holds one sample of each peer."""
    assert by_peer(("a", "b"), [[1.0, 2.0], [3.0, 4.0]]) == {"a": (1.0, 3.0), "b": (2.0, 4.0)}


def test_only_hubmirror_has_an_aim_and_only_the_base_no_ratio() -> None:
    """Peers are measured for comparison, and not judged."""
    samples = {"hubmirror": (2.0,), "nginx": (3.0,), "direct": (1.0,)}
    mirror, nginx, direct = compared("wall", "s", samples, "direct", Aim(1.5))
    assert (mirror.ratio, mirror.meets_aim) == (2.0, False)
    assert (nginx.ratio, nginx.meets_aim) == (3.0, None)
    assert (direct.ratio, direct.meets_aim) == (None, None)


def test_each_of_ours_is_compared_with_each_of_its_bases() -> None:
    """A series for each, and one for each other peer alone."""
    samples = {"hubmirror": (2.0,), "registry": (1.0,), "nginx": (4.0,)}
    found = list(against("rate", "/s", samples, {"hubmirror": {"nginx": FAST, "registry": FAST}}))
    assert [(one.peer, one.other, one.ratio, one.meets_aim) for one in found] == [
        ("hubmirror", "nginx", 0.5, False),
        ("hubmirror", "registry", 2.0, True),
        ("registry", "", None, None),
        ("nginx", "", None, None),
    ]


def test_who_was_not_measured_is_no_base() -> None:
    """Nor is it a peer: the rest is told without it."""
    (found,) = against("rate", "/s", {"hubmirror": (2.0,)}, {"hubmirror": {"nginx": FAST}})
    assert (found.peer, found.base, found.aim) == ("hubmirror", None, None)


def test_a_value_can_be_aimed_at_by_itself() -> None:
    """Where there is nothing to compare it with."""
    (found,) = against("share", "of all", {"hubmirror": (0.9,)}, {"hubmirror": {ITSELF: FAST}})
    assert (found.ratio, found.meets_aim) == (None, False)
