"""What the daemon says when it starts: where it is, how to use it, what to beware of."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

__all__ = ["greeting", "warnings"]


def greeting(
    urls: Sequence[str], upstream: str, data: object, public_url: str | None = None
) -> Iterator[str]:
    """Lines for a person, ``listening on URL`` for programs too."""
    yield f"a mirror of {upstream}, data in {data}"
    for url in urls:
        yield f"listening on {url}"
    known_as = public_url or _reachable(urls[-1])
    snippet = json.dumps({"registry-mirrors": [known_as]})
    yield f"for docker, put into /etc/docker/daemon.json and restart it: {snippet}"
    yield f"the count, and the set-up of other clients: {known_as}/"


def warnings(urls: Sequence[str], *, is_open: bool = False) -> Iterator[str]:
    """What is dangerous about where the mirror listens; ``is_open``: to whoever can reach it."""
    for url in urls:
        if is_open and _is_public(url):
            yield (
                f"{url} can be reached from the internet, and anybody there may pull through this"
                " mirror, at your cost and in your name, until the quota is spent: say who may, by"
                " access_allow, access_login or [[access.rule]]"
            )
        parts = urlsplit(url)
        if parts.scheme == "http" and not ip_address(parts.hostname or "").is_loopback:
            yield (
                f"{url} has no TLS and can be reached from other machines: dockerd sends its"
                " users' Docker Hub logins to a mirror unasked, and here anybody on the way can"
                " read them; use --https, or listen on 127.0.0.1 behind a TLS proxy"
            )


def _is_public(url: str) -> bool:
    """Whether it is an address of the internet, or all of this machine's, which may have one."""
    address = ip_address(urlsplit(url).hostname or "")
    return address.is_unspecified or address.is_global


def _reachable(url: str) -> str:
    """``url`` with this machine's name where it listens on all addresses."""
    for every in ("[::]", "0.0.0.0"):  # noqa: S104 - compared, not listened on
        url = url.replace(every, socket.gethostname())
    return url
