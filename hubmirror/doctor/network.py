"""The way out: host names, packets' sizes, proxies."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from twisted.internet.interfaces import IReactorTime

from hubmirror.doctor.findings import Finding, fail, ok, warn
from hubmirror.upstream.egress import Egress
from hubmirror.upstream.failures import LookupFailed
from hubmirror.upstream.guard import is_literal
from hubmirror.upstream.resolver import GuardedResolver

__all__ = ["host_of", "link_findings", "name_findings", "proxy_findings"]

#: A name server that takes longer than this, in seconds, slows every pull down.
_SLOW: Final = 1.0
#: What proxy tools answer in place of real addresses.
_FAKE: Final = ip_network("198.18.0.0/15")
#: Interfaces of containers, whose packets must fit through the machine's own.
_BRIDGES: Final = ("docker", "br-", "cni", "flannel", "podman", "virbr")


async def name_findings(
    clock: IReactorTime, resolver: GuardedResolver, host: str
) -> Sequence[Finding]:
    """Whether ``host`` has addresses, how soon they are there, and whether they are real."""
    if is_literal(host):
        return [ok("name", f"{host} is an address: no name server is needed")]
    began = clock.seconds()
    try:
        addresses = await resolver.lookup(host)
    except LookupFailed as error:
        return [fail("name", str(error), "see /etc/resolv.conf, and whether its servers answer")]
    seconds = clock.seconds() - began
    return list(_judged(host, addresses, seconds))


def _judged(host: str, addresses: Sequence[str], seconds: float) -> Iterator[Finding]:
    told = ", ".join(addresses[:3]) + (", …" if len(addresses) > 3 else "")
    if any(ip_address(one) in _FAKE for one in addresses):
        yield warn(
            "name",
            f"{host} is {told}: a proxy tool answers with addresses of its own",
            "redirects will look as if they led into a private network: set"
            ' allow_private = ["198.18.0.0/15"]',
        )
    elif seconds > _SLOW:
        yield warn(
            "name",
            f"{host} is {told}, but that took {seconds:.1f} s",
            "the first name server in /etc/resolv.conf may be out of order",
        )
    else:
        yield ok("name", f"{host} is {told}")


def proxy_findings(egress: Egress | None, host: str, no_proxy: str) -> list[Finding]:
    """By which way the mirror goes to ``host``."""
    if egress is None:
        return [ok("proxy", f"the mirror goes to {host} directly, by no proxy")]
    if not egress.serves(host, 443):
        told = f"the mirror goes to {host} directly, by no_proxy ({no_proxy}), and not by {egress}"
        return [warn("proxy", told, "is that meant? Else take it out of no_proxy")]
    return [ok("proxy", f"the mirror goes to {host} by the proxy {egress}")]


def link_findings(root: Path = Path("/")) -> list[Finding]:
    """Whether packets of containers fit into those of the machine: a bridge with a larger MTU

    than the way out loses large packets where nobody tells the sender. What lies farther off
    can't be seen here. Linux' /proc/net/route and /sys/class/net are looked at.
    """
    out = _default_interface(root / "proc/net/route")
    size = None if out is None else _mtu(root, out)
    if out is None or size is None:
        return [ok("mtu", "no default route is known, so no packet sizes are compared")]
    larger = [
        f"{name} ({mtu})"
        for name in _names(root / "sys/class/net")
        if name.startswith(_BRIDGES) and (mtu := _mtu(root, name) or 0) > size
    ]
    if larger:
        return [
            warn(
                "mtu",
                f"the way out ({out}) takes packets of {size} bytes, containers' networks larger"
                f" ones: {', '.join(larger)}",
                f'set "mtu": {size} in daemon.json, or the same of your network plugin',
            )
        ]
    return [ok("mtu", f"the way out ({out}) takes packets of {size} bytes")]


def host_of(url: str) -> str:
    """The host of a URL."""
    return urlsplit(url).hostname or ""


def _default_interface(routes: Path) -> str | None:
    try:
        rows = [line.split() for line in routes.read_text().splitlines()[1:]]
    except OSError:
        return None
    return next((row[0] for row in rows if len(row) > 7 and row[1] == row[7] == "00000000"), None)


def _mtu(root: Path, name: str) -> int | None:
    try:
        return int((root / "sys/class/net" / name / "mtu").read_text())
    except (OSError, ValueError):
        return None


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
