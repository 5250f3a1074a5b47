"""From rounds to series."""

from __future__ import annotations

from bench.comparing import by_peer, compared
from bench.results import Aim


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
