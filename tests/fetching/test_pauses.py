"""Waits grow, have a limit, and heed what a host asks for."""

from __future__ import annotations

import pytest

from hubmirror.errors import UpstreamFailure
from hubmirror.fetching.limits import FetchLimits
from hubmirror.fetching.pauses import back_off, pause_after

_LIMITS = FetchLimits(first_pause=0.2, longest_pause=5.0, patience=15.0)


def test_they_double_up_to_the_longest() -> None:
    """Half of each is chance."""
    assert [back_off(n, _LIMITS, 1.0) for n in (1, 2, 3, 9)] == [0.2, 0.4, 0.8, 5.0]
    assert back_off(1, _LIMITS, 0.0) == 0.1


@pytest.mark.parametrize(
    ("asked", "seconds"), [("7", 7.0), ("0", 0.2), ("600", 15.0), ("soon", 0.2), ("-3", 0.2)]
)
def test_a_host_may_ask_for_more(asked: str, seconds: float) -> None:
    """Not for less, and not for ever."""
    error = UpstreamFailure(headers={"Retry-After": asked})
    assert pause_after(1, error, _LIMITS, 1.0) == seconds
