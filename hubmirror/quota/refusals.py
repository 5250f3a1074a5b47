"""How a request is told that a limit is spent.

Source: draft-ietf-httpapi-ratelimit-headers-11 for ``RateLimit`` and ``RateLimit-Policy``, RFC
9651 for how they are written, RFC 9110, section 10.2.3, for ``Retry-After``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attrs import frozen

from hubmirror.errors import TooManyRequests
from hubmirror.quota.accounts import Account
from hubmirror.quota.rules import ClientLimits
from hubmirror.quota.window import DAY, MINUTE, end_of, rfc3339, seconds_to_end

__all__ = ["Policy", "Spent", "client_policies", "refused", "spent_policy", "window_policies"]

_NAMES: Final = {DAY: "day", MINUTE: "minute"}
_WHEN: Final = {DAY: "today", MINUTE: "this minute"}
_MIRROR: Final = "this mirror"
#: The greatest integer that a header field may have (RFC 9651, section 3.3.1).
_MOST: Final = 10**15 - 1


@frozen
class Policy:
    """One limit: so many requests, or ``content-bytes``, a window (``DAY`` or ``MINUTE``)."""

    quota: int
    window: int
    whose: str = _MIRROR
    unit: str = "requests"

    @property
    def name(self) -> str:
        """As the header fields have it: ``day``, ``client-minute-bytes``."""
        parts = [] if self.whose == _MIRROR else ["client"]
        parts.append(_NAMES[self.window])
        if self.unit != "requests":
            parts.append("bytes")
        return "-".join(parts)

    @property
    def spelled(self) -> str:
        """As people read it: ``this mirror's 1000 requests for today``."""
        what = "requests" if self.unit == "requests" else "bytes"
        return f"{self.whose}'s {self.quota} {what} for {_WHEN[self.window]}"

    def __str__(self) -> str:
        unit = "" if self.unit == "requests" else f';qu="{self.unit}"'
        return f'"{self.name}";q={min(self.quota, _MOST)};w={self.window}{unit}'


@frozen
class Spent:
    """The limit that leaves a client no room, and all of its kind that hold for it.

    With ``is_rest_reserved`` others may still spend what is left of it.
    """

    policy: Policy
    policies: Sequence[Policy]
    is_rest_reserved: bool = False


def window_policies(per_day: int, per_minute: int) -> list[Policy]:
    """The limits that hold for all clients together; 0 is none. The longest window comes first."""
    pairs = ((per_day, DAY), (per_minute, MINUTE))
    return [Policy(quota, window) for quota, window in pairs if quota]


def client_policies(limits: ClientLimits) -> list[Policy]:
    """The limits of one client; 0 is none. The longest window comes first."""
    return [policy for policy in _policies(limits) if policy.quota]


def spent_policy(limits: ClientLimits, account: Account) -> Policy | None:
    """The limit of a client's that its account leaves no room in: the one that lasts longest."""
    pairs = zip(_quotas(limits), _spent(account), strict=True)
    for place, (quota, spent) in enumerate(pairs):
        if 0 < quota <= spent:
            return _policies(limits)[place]
    return None


def refused(spent: Spent, now: float) -> TooManyRequests:
    """The error that says which limit is spent, and until when, to people and programs."""
    policy = spent.policy
    seconds = seconds_to_end(now, policy.window)
    what = f"{policy.spelled} are spent"
    if spent.is_rest_reserved:
        what = f"what is left of {policy.spelled} is reserved for other clients"
    return TooManyRequests(
        f"{what}; the count starts anew at {rfc3339(end_of(now, policy.window))}",
        headers={
            "Retry-After": str(seconds),
            "RateLimit-Policy": ", ".join(map(str, spent.policies)),
            "RateLimit": f'"{policy.name}";r=0;t={seconds}',
        },
    )


def _quotas(limits: ClientLimits) -> tuple[int, int, int, int]:
    return (
        limits.requests_per_day,
        limits.bytes_per_day,
        limits.requests_per_minute,
        limits.bytes_per_minute,
    )


def _spent(account: Account) -> tuple[int, int, int, int]:
    """What counts against each of ``_quotas``."""
    return (
        account.requests + account.assumed,
        account.bytes_in + account.bytes_out + account.assumed_bytes,
        account.minute_requests,
        account.minute_bytes,
    )


def _policies(limits: ClientLimits) -> list[Policy]:
    """A policy for each of ``_quotas``."""
    kinds = [(window, unit) for window in (DAY, MINUTE) for unit in ("requests", "content-bytes")]
    whose = _whose(limits)
    return [
        Policy(quota, window, whose, unit)
        for quota, (window, unit) in zip(_quotas(limits), kinds, strict=True)
    ]


def _whose(limits: ClientLimits) -> str:
    if limits.user is not None:
        return f"user {limits.user}"
    return "this client" if limits.network is None else f"network {limits.network}"
