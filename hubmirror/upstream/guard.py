"""Where the mirror may connect to: the guard against server-side request forgery.

A ``Location`` or a realm is the upstream's word, and a name server's answer is anybody's. So
every address is judged before it is connected to. Source: the IANA special-purpose address
registries (RFC 6890), and RFC 6052 and 3056 for IPv4 addresses inside IPv6 ones.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from hubmirror.errors import UpstreamRefused

__all__ = ["AddressGuard", "is_literal"]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)


_FAKE_IP: Final = "fake-IP"

#: The kinds of address that are refused, the first that fits; what is left and is not global
#: is "reserved". Cloud metadata services come first: some are inside other networks.
_KINDS: Final = {
    "cloud metadata": _networks(
        "169.254.169.254/32",
        "169.254.170.2/32",
        "100.100.100.200/32",
        "168.63.129.16/32",
        "192.0.0.192/32",
        "fd00:ec2::254/128",
        "fd20:ce::254/128",
    ),
    "loopback": _networks("127.0.0.0/8", "::1/128"),
    "private": _networks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
    "carrier-grade NAT": _networks("100.64.0.0/10"),
    _FAKE_IP: _networks("198.18.0.0/15"),
    "link-local": _networks("169.254.0.0/16", "fe80::/10"),
    "unspecified": _networks("0.0.0.0/8", "::/128"),
    "multicast": _networks("224.0.0.0/4", "ff00::/8"),
}
#: What an upstream at such an address makes right for its realm and redirects.
_CONTAGIOUS: Final = frozenset(("loopback", "private", "carrier-grade NAT", _FAKE_IP))

_NAT64: Final = IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")

#: Names that mean one address whoever is asked.
_WELL_KNOWN: Final = {
    "localhost": "127.0.0.1",
    "localhost.localdomain": "127.0.0.1",
    "ip6-localhost": "::1",
    "ip6-loopback": "::1",
    "metadata": "169.254.169.254",
    "metadata.google.internal": "169.254.169.254",
}


class AddressGuard:
    """Decides whether the mirror may connect to a host at an address.

    Only global addresses are right, with two exceptions. ``allow_private`` names hosts and
    networks that the configuration allows (``ValueError`` for a malformed network).
    ``own_hosts`` are the hosts of the configured upstreams: they may be anywhere, and while
    one of them is at a loopback or a private address, others may be at addresses of that kind
    too, as the realm and the blobs of a registry at home are at home with it. Link-local and
    metadata addresses are never learned so.
    """

    def __init__(
        self, allow_private: Collection[str] = (), own_hosts: Collection[str] = ()
    ) -> None:
        self._own_hosts = frozenset(_normal(host) for host in own_hosts)
        self._hosts: set[str] = set()
        self._networks: list[Network] = []
        for text in allow_private:
            self._allow(text)
        self._learned: dict[str, frozenset[str]] = {}

    def permitted(self, host: str, addresses: Sequence[str]) -> tuple[str, ...]:
        """Those of ``addresses``, which are what ``host`` means, that may be connected to.

        Raises ``UpstreamRefused`` when none may.
        """
        name = _normal(host)
        if name in self._own_hosts:
            self._learn(name, addresses)
            return tuple(addresses)
        if name in self._hosts:
            return tuple(addresses)
        right = tuple(address for address in addresses if self._is_right(ip_address(address)))
        if addresses and not right:
            raise UpstreamRefused(_refusal(name, addresses[0]))
        return right

    def check_name(self, host: str) -> None:
        """Judge ``host`` where a proxy is going to find its address.

        An address, in any notation, or a name that always means one is judged as such; any
        other name is the proxy's affair. Raises ``UpstreamRefused``.
        """
        address = _address_of(host)
        if address is not None:
            self.permitted(host, [address])

    def _allow(self, text: str) -> None:
        try:
            self._networks.append(ip_network(text.strip("[]"), strict=False))
        except ValueError:
            if "/" in text:
                raise
            self._hosts.add(_normal(text))

    def _learn(self, name: str, addresses: Sequence[str]) -> None:
        kinds = {_kind(ip_address(address)) for address in addresses}
        self._learned[name] = _CONTAGIOUS.intersection(kinds)

    def _is_right(self, address: Address) -> bool:
        kind = _kind(address)
        return (
            kind is None
            or any(kind in kinds for kinds in self._learned.values())
            or any(
                candidate in network for candidate in _layers(address) for network in self._networks
            )
        )


def is_literal(host: str) -> bool:
    """Whether ``host`` is an IP address in its usual notation, without brackets."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _address_of(host: str) -> str | None:
    """The address that ``host`` spells or always means, or None where it is a mere name.

    ``127.1``, ``0x7f000001`` and ``2130706433`` are addresses too: resolvers take them so.
    """
    name = _normal(host)
    if is_literal(name):
        return name
    if name in _WELL_KNOWN or name.endswith(".localhost"):
        return _WELL_KNOWN.get(name, "127.0.0.1")
    try:
        return socket.inet_ntoa(socket.inet_aton(name))
    except (OSError, UnicodeError):
        return None


def _normal(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()


def _layers(address: Address) -> list[Address]:
    """``address``, then the IPv4 address that an IPv6 one carries inside, if it does."""
    if isinstance(address, IPv4Address):
        return [address]
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and address in _NAT64:
        inner = IPv4Address(int(address) & 0xFFFFFFFF)
    return [address] if inner is None else [address, inner]


def _kind(address: Address) -> str | None:
    """What makes ``address`` no place on the public internet, or None where it is one."""
    innermost = _layers(address)[-1]
    for kind, networks in _KINDS.items():
        if any(innermost in network for network in networks):
            return kind
    if isinstance(innermost, IPv6Address) and innermost not in _GLOBAL_UNICAST:
        return "reserved"
    return None if innermost.is_global else "reserved"


def _refusal(host: str, address: str) -> str:
    kind = _kind(ip_address(address))
    at = host if host == address else f"{host} ({address})"
    sentence = f"the mirror does not connect to {at}: a {kind} address"
    if kind == _FAKE_IP:
        return (
            f"{sentence}, as the DNS of some proxy tools answers; where that is so, set"
            f' allow_private = ["198.18.0.0/15"]'
        )
    return f'{sentence}; to allow it, set allow_private = ["{host}"]'
