"""The measures that hold unless the configuration says otherwise."""

from __future__ import annotations

from hubmirror.fetching.limits import FetchLimits


def test_they_fit_together() -> None:
    """A blob worth several connections has an end to hold back, and is hashed on its way."""
    limits = FetchLimits()
    assert limits.connections == 4
    assert limits.held_back == 64 * 1024
    assert limits.held_back < limits.hash_every <= limits.piece
    assert limits.save_every <= limits.piece / 8, "a crash costs little of a blob in pieces"
    assert limits.first_pause < limits.longest_pause < limits.patience
