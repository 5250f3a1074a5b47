"""How long to wait before an upstream is asked again."""

from __future__ import annotations

from hubmirror.errors import UpstreamFailure
from hubmirror.fetching.limits import FetchLimits

__all__ = ["back_off", "pause_after"]


def back_off(failures: int, limits: FetchLimits, random: float) -> float:
    """The pause after so many failures in a row, in seconds: half of it is chance."""
    longest = min(limits.longest_pause, limits.first_pause * 2.0 ** (failures - 1))
    return longest * (0.5 + random / 2)


def pause_after(failures: int, error: UpstreamFailure, limits: FetchLimits, random: float) -> float:
    """The same, or what ``error`` asks for in its ``Retry-After`` where that is longer."""
    asked = error.headers.get("Retry-After", "")
    seconds = float(asked) if asked.isascii() and asked.isdigit() else 0.0
    return max(back_off(failures, limits, random), min(seconds, limits.patience))
