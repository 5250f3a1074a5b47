"""Who spends: a client's address, the network that it is in, its user."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from attrs import frozen

from hubmirror.quota.rules import Network

__all__ = ["OURSELVES", "Spender", "Spenders", "address_key"]

#: The address under which a question without one is counted: the mirror asks itself.
OURSELVES: Final = "hubmirror"
IPV6_CLIENT_PREFIX: Final = 64
#: How many clients are remembered with their networks.
REMEMBERED: Final = 20_000


@frozen
class Spender:
    """``address`` is as ``address_key`` has it; the others are None where they are not known."""

    address: str
    network: str | None = None
    user: str | None = None


class Spenders:
    """Finds a client's network by the names that an operator gave them: the narrowest counts."""

    def __init__(self, networks: Mapping[str, tuple[Network, ...]]) -> None:
        named = [(network, name) for name, several in networks.items() for network in several]
        self._named = sorted(named, key=lambda pair: pair[0].prefixlen, reverse=True)
        self._found: dict[tuple[str, str | None], Spender] = {}

    def of(self, address: str, user: str | None = None) -> Spender:
        """Who asks from ``address``, which is text of an IP address or a name of our own.

        A user without a name is none.
        """
        found = self._found.get((address, user))
        return self._find(address, user) if found is None else found

    def network_of(self, address: str) -> str | None:
        """The name of the narrowest network that holds ``address``; None without any."""
        ip = _parse(address)
        if ip is None:
            return None
        return next((name for network, name in self._named if ip in network), None)

    def _find(self, address: str, user: str | None) -> Spender:
        if len(self._found) >= REMEMBERED:
            self._found.clear()
        found = Spender(address_key(address), self.network_of(address), user or None)
        self._found[address, user] = found
        return found


def address_key(address: str) -> str:
    """The address that a client is counted under: one of IPv6 has a whole /64."""
    ip = _parse(address)
    if ip is None:
        return address or OURSELVES
    if ip.version == 4:
        return str(ip)
    return str(ip_network((ip, IPV6_CLIENT_PREFIX), strict=False))


def _parse(address: str) -> IPv4Address | IPv6Address | None:
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return getattr(ip, "ipv4_mapped", None) or ip
