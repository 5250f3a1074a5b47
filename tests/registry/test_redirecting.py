"""Plain HTTP is sent to https, where that is wanted."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from twisted.web.resource import IResource
from twisted.web.static import Data

from hubmirror.registry.redirecting import HttpsRedirect
from hubmirror.registry.site import Frontage
from tests.registry.edge import Edge, Wire

CLIENT = "192.0.2.7"
PROXY = "198.51.100.1"
PAGES: dict[bytes, IResource] = {b"healthz": Data(b"ok", "text/plain")}


def ask(
    path: str,
    peer: str = CLIENT,
    redirect: HttpsRedirect | None = HttpsRedirect(443),  # noqa: B008 - a value
    method: str = "GET",
    trusted: str = f"{PROXY}/32",
    **headers: str,
) -> Wire:
    """Ask over plain HTTP, as ``hub.example:8080``."""
    public = None if redirect is None else redirect.public_url
    frontage = Frontage((ip_network(trusted),), public, redirect=redirect)
    edge = Edge(frontage=frontage, pages=PAGES)
    fields = {"Host": "hub.example:8080", **headers}
    lines = [f"{method} {path} HTTP/1.1"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return edge.send("\r\n".join([*lines, "", ""]).encode(), peer)


def location(wire: Wire) -> str:
    """Where a client is sent."""
    assert wire.status() == 308
    assert wire.head().startswith("HTTP/1.1 308 Permanent Redirect")
    assert wire.body() == b""
    (found,) = [line for line in wire.head().split("\r\n") if line.startswith("Location: ")]
    return found.partition(": ")[2]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_clients_are_sent_to_https(method: str) -> None:
    """Path and query stay, whatever there is."""
    wire = ask("/v2/library/busybox/tags/list?n=5", method=method)
    assert location(wire) == "https://hub.example/v2/library/busybox/tags/list?n=5"


def test_to_where_https_is() -> None:
    """Its port, unless that is the usual one, or the public URL."""
    assert location(ask("/v2/", redirect=HttpsRedirect(8443))) == "https://hub.example:8443/v2/"
    public = HttpsRedirect(8443, "https://other.example")
    assert location(ask("/v2/", redirect=public)) == "https://other.example/v2/"
    plain = HttpsRedirect(8443, "http://other.example")
    assert location(ask("/v2/", redirect=plain)) == "https://hub.example:8443/v2/"
    address = ask("/v2/", Host="[2001:db8::1]:80")
    assert location(address) == "https://[2001:db8::1]/v2/"


def test_a_path_is_no_way_elsewhere() -> None:
    """The origin comes first, whatever follows."""
    assert location(ask("//evil.example/x")) == "https://hub.example//evil.example/x"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/healthz", 200),
        ("/.well-known/acme-challenge/token", 404),
        ("/.well-known/other", 308),
        ("/readyz", 404),
        ("/healthz/more", 308),
    ],
)
def test_what_is_asked_by_machines_that_follow_none(path: str, status: int) -> None:
    """Health and ACME challenges are answered as ever."""
    assert ask(path).status() == status


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.0.1", "::1", "::ffff:127.0.0.1"])
def test_the_machine_itself_is_served(peer: str) -> None:
    """It has no name that a certificate would be for; neither has a proxy on it."""
    assert ask("/", peer=peer).status() == 404


def test_a_proxys_clients_came_as_it_says() -> None:
    """By https already, or not; a client's own word counts for nothing."""
    assert ask("/", PROXY, X_Forwarded_Proto="https").status() == 404
    assert ask("/", CLIENT, X_Forwarded_Proto="https").status() == 308
    assert location(ask("/", PROXY, X_Forwarded_Proto="http")) == "https://hub.example/"
    local = ask("/", "127.0.0.1", trusted="127.0.0.0/8", X_Forwarded_Proto="http")
    assert local.status() == 308
    own = HttpsRedirect(443, "https://other.example")
    assert ask("/", PROXY, own, X_Forwarded_Proto="https").status() == 404


def test_a_connection_goes_on_behind_it() -> None:
    """One after the other; and without the setting all is served."""
    frontage = Frontage(redirect=HttpsRedirect(443))
    edge = Edge(frontage=frontage)
    requests = [b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % name for name in (b"a", b"b")]
    wire = edge.send(b"".join(requests), CLIENT)
    assert wire.value().count(b"HTTP/1.1 308") == 2
    assert b"Location: https://a/b" in wire.value()
    assert ask("/", redirect=None).status() == 404
