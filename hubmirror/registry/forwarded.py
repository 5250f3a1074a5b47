"""Who a client is, and the URL by which it knows this mirror.

A proxy's word (``Forwarded``, RFC 7239, or ``X-Forwarded-For``, ``-Proto`` and ``-Host``) counts
where the proxy is trusted, and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from itertools import zip_longest
from typing import Final

from attrs import frozen

from hubmirror.fields import FieldReader
from hubmirror.question import Headers

__all__ = ["Network", "client_of", "parse_host"]

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

#: The longest authority, port included.
MAX_HOST: Final = 255

_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
_HOST = re.compile(
    rf"(?:{_LABEL}(?:\.{_LABEL})*\.?|\[([0-9A-Fa-f]*:[0-9A-Fa-f:.]+)\])(?::([1-9][0-9]{{0,4}}))?"
)
# RFC 7239 wants quotes around what has a colon; many leave them out.
_UNQUOTED = re.compile(r"[^\s\",;]+")
# A port may be obfuscated, too: RFC 7239, section 6.
_NODE = re.compile(
    r"\[([0-9A-Fa-f:.]+)\](?::[\w.-]+)?|([0-9.]+)(?::[\w.-]+)?|([0-9A-Fa-f:.]+)", re.ASCII
)


@frozen
class _Hop:
    """What one proxy says of the request that it got; None where it says nothing usable."""

    address: Address | None = None
    scheme: str | None = None
    host: str | None = None


def parse_host(text: str) -> str | None:
    """``text`` in lower case, if it is a host with or without a port (RFC 9110, section 7.2).

    A host is a name of letters, digits, ``-``, ``_`` and dots, an IPv4 address, or an IPv6
    address in brackets, without a zone; anything else is None.
    """
    match = _HOST.fullmatch(text) if len(text) <= MAX_HOST else None
    if match is None or int(match[2] or 1) > 65535:
        return None
    if match[1] is not None and _parse_address(match[1]) is None:
        return None
    return text.lower()


def client_of(
    *,
    peer: str,
    is_secure: bool,
    host: str,
    headers: Headers,
    trusted: Sequence[Network],
    public_url: str | None,
    other_hosts: Collection[str] = (),
) -> tuple[str, str]:
    """The client's address, and the URL (scheme and authority) that the client itself used.

    ``peer`` is the other end of the connection. ``host`` is the request's ``Host`` as
    ``parse_host`` accepts it, or the connection's own authority where it has none. From the
    nearest proxy outwards each hop is believed as long as a trusted one tells of it; a hop
    that can't be read ends the walk. ``public_url``, where configured, is always the URL, but for
    ``other_hosts`` of the mirror's, which are known by themselves.
    """
    address = _parse_address(peer)
    client, scheme = str(address or peer), "https" if is_secure else "http"
    if _is_trusted(address, trusted):
        for hop in _hops(headers):
            scheme, host = hop.scheme or scheme, hop.host or host
            if hop.address is None:
                break
            client = str(hop.address)
            if not _is_trusted(hop.address, trusted):
                break
    host = host.lower()
    is_other = host in other_hosts or host.rpartition(":")[0] in other_hosts
    return client, f"{scheme}://{host}" if is_other or public_url is None else public_url


def _is_trusted(address: Address | None, trusted: Sequence[Network]) -> bool:
    return address is not None and any(address in network for network in trusted)


def _hops(headers: Headers) -> Iterator[_Hop]:
    """The hops, the nearest first.

    Where both kinds of field have come, ``X-Forwarded-For`` is the proxy's and ``Forwarded``
    the client's: most proxies set the one, and pass the other on as they got it.
    """
    if _elements(headers, "forwarded") and not _elements(headers, "x-forwarded-for"):
        return map(_parse_element, reversed(_elements(headers, "forwarded")))
    return (
        _Hop(_parse_node(node), _parse_scheme(scheme), parse_host(host))
        for node, scheme, host in zip_longest(
            reversed(_elements(headers, "x-forwarded-for")),
            reversed(_elements(headers, "x-forwarded-proto")),
            reversed(_elements(headers, "x-forwarded-host")),
            fillvalue="",
        )
    )


def _elements(headers: Headers, name: str) -> list[str]:
    """The elements of all fields called ``name``.

    No address, scheme or host has a comma, so quotes are not looked at: a quote that a client
    left open must not swallow what a proxy has added behind it.
    """
    values = (value for key, value in headers if key.lower() == name)
    return [element.strip(" \t") for value in values for element in value.split(",")]


def _parse_element(element: str) -> _Hop:
    """One ``forwarded-element``; what is malformed says nothing."""
    reader = FieldReader(element)
    pairs = []
    while parameter := reader.parameter(_UNQUOTED):
        pairs.append((parameter[0].lower(), parameter[1]))
        if not reader.semicolons():
            break
    parameters = dict(pairs)
    if not reader.is_done or len(parameters) < len(pairs):
        return _Hop()
    return _Hop(
        _parse_node(parameters.get("for", "")),
        _parse_scheme(parameters.get("proto", "")),
        parse_host(parameters.get("host", "")),
    )


def _parse_scheme(text: str) -> str | None:
    return text.lower() if text.lower() in ("http", "https") else None


def _parse_node(text: str) -> Address | None:
    """The address of a node with or without a port; None for ``unknown`` and ``_hidden``."""
    match = _NODE.fullmatch(text)
    return None if match is None else _parse_address(match[1] or match[2] or match[3])


def _parse_address(text: str) -> Address | None:
    """The address that ``text`` spells; an IPv4 one as such, also within IPv6."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
