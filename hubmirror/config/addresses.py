"""Settings that name places on the network: listeners, URLs, hosts and networks.

As in ``values``, a parser raises ``ValueError`` with what is wrong. URLs are never quoted in it:
somebody may have put a password there.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import unquote, urlsplit

from hubmirror.config.model import ListenAddress
from hubmirror.config.values import shown, text, texts
from hubmirror.upstream.url import checked_url

__all__ = [
    "cut_login",
    "hosts_and_networks",
    "listen_addresses",
    "networks",
    "optional_origin",
    "origin",
    "proxy",
]

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")


def listen_addresses(raw: object) -> tuple[ListenAddress, ...]:
    """Where to listen: ``HOST:PORT``, ``[::1]:PORT`` or ``:PORT``, a list or one; ``off``: ()."""
    pieces = texts(raw)
    return () if pieces == ("off",) else tuple(map(_listen_address, pieces))


def origin(raw: object) -> str:
    """An http or https URL of a scheme and an authority alone, without a slash at its end."""
    written = text(raw)
    parts = urlsplit(checked_url(written))
    if parts.path != "/" or parts.query or "#" in written:
        raise ValueError("it has a path, a query or a fragment")
    host = _host(parts.hostname or "")
    return f"{parts.scheme}://{_with_port(host, parts.port)}"


def optional_origin(raw: object) -> str | None:
    """As ``origin``, or None for empty text."""
    return origin(raw) if raw != "" else None


def proxy(raw: object) -> str | None:
    """An HTTP proxy as ``http://HOST:PORT`` (port 80 unless named), None for ``off`` or nothing.

    ``HOST:PORT`` alone is right too, as it is in ``HTTPS_PROXY``.
    """
    written = text(raw)
    if written in ("", "off"):
        return None
    url = written if "://" in written else f"http://{written}"
    if "@" in url:
        raise ValueError(
            "it holds credentials; put user:password into a file that egress_credentials names"
        )
    parts = urlsplit(origin(url))
    if parts.scheme != "http":
        raise ValueError(f"a proxy over {parts.scheme} is not supported")
    return f"http://{_with_port(parts.hostname or '', parts.port or 80)}"


def cut_login(url: str) -> tuple[str, tuple[str, str] | None]:
    """``url`` without its userinfo, and the (user, password) that stood there, decoded."""
    head, at, tail = url.rpartition("@")
    if not at:
        return url, None
    scheme, _, userinfo = head.rpartition("://")
    user, _, password = userinfo.partition(":")
    return (f"{scheme}://{tail}" if scheme else tail), (unquote(user), unquote(password))


def networks(raw: object) -> tuple[IPv4Network | IPv6Network, ...]:
    """Networks in CIDR notation; an address alone is a network of one."""
    return tuple(map(_network, texts(raw)))


def hosts_and_networks(raw: object) -> tuple[str, ...]:
    """Host names in lower case, and networks in their canonical form."""
    return tuple(map(_host_or_network, texts(raw)))


def _listen_address(written: str) -> ListenAddress:
    host, colon, port = written.rpartition(":")
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise ValueError(f"{shown(written)} does not end in a port")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{shown(written)} has an IPv6 address without brackets")
    return ListenAddress(_host(host) if host else "", int(port))


def _host(name: str) -> str:
    """An address in canonical form, or a host name in lower case."""
    try:
        address = ip_address(name)
    except ValueError:
        pass
    else:
        if "%" in name:
            raise ValueError(f"{shown(name)} has a zone")
        return str(address)
    # A last label of digits is a mistyped IPv4 address, which resolvers would guess at.
    last = name.rstrip(".").rpartition(".")[2]
    if len(name) > 253 or not _HOST.fullmatch(name) or last.isdigit():
        raise ValueError(f"{shown(name)} is neither a host name nor an address")
    return name.rstrip(".").lower()


def _with_port(host: str, port: int | None) -> str:
    bracketed = f"[{host}]" if ":" in host else host
    return bracketed if port is None else f"{bracketed}:{port}"


def _network(written: str) -> IPv4Network | IPv6Network:
    try:
        loose = ip_network(written, strict=False)
    except ValueError:
        raise ValueError(f"{shown(written)} is not a network") from None
    # Python's own parsing would take 10.0.0.1/8 for 10.0.0.0/8; a person may have meant /32.
    if "/" in written and ip_address(written.partition("/")[0]) != loose.network_address:
        raise ValueError(f"{shown(written)} has host bits set; {loose} is the network")
    return loose


def _host_or_network(written: str) -> str:
    if "/" in written:
        return str(_network(written))
    try:
        return str(ip_network(written))
    except ValueError:
        return _host(written)
