"""What an operator allows: limits, who they are for, and shares that are reserved.

One rule: a request is let through while the day and the minute have room that is not reserved
for others, and the client has room of its own. A client's own limits are those of its user, or
else of its network, or else of the address alone: the most specific that there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from typing import Literal

from attrs import field, frozen

__all__ = ["ClientLimits", "Network", "OnExhausted", "Reserve", "Rules"]

Network = IPv4Network | IPv6Network
#: What happens to a request that no limit has room for: what is kept is served and nothing goes
#: upstream; it is refused; it is let through all the same, and counted.
OnExhausted = Literal["cache-only", "refuse", "count"]


@frozen
class ClientLimits:
    """What one client may spend, 0 for any amount: of a network (all of it together), of a user,

    or, with neither, each address (an IPv6 /64 counts as one).
    """

    network: str | None = None
    user: str | None = None
    requests_per_day: int = 0
    requests_per_minute: int = 0
    bytes_per_day: int = 0
    bytes_per_minute: int = 0


@frozen
class Reserve:
    """``share`` percent of every window that only these networks and users may spend."""

    share: float
    networks: tuple[str, ...] = ()
    users: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Who it is for, in a word."""
        return ", ".join((*self.networks, *self.users))


@frozen
class Rules:
    """All of it. ``per_day`` and ``per_minute`` are requests, 0 for any number.

    ``networks`` are names for addresses. From ``spare_below`` percent of Docker Hub's own limit
    on, what is kept is given though it may be outdated, where that spares a pull.
    """

    per_day: int = 0
    per_minute: int = 0
    on_exhausted: OnExhausted = "cache-only"
    networks: Mapping[str, tuple[Network, ...]] = field(factory=dict)
    clients: tuple[ClientLimits, ...] = ()
    reserves: tuple[Reserve, ...] = ()
    spare_below: float = 10.0
