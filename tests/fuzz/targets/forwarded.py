"""What a proxy, or somebody who is none, says of whom it speaks for."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from hubmirror.registry.forwarded import client_of, parse_host
from tests.fuzz.target import Target

NAMES = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Host")
TRUSTED = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
HOST = "mirror.example:5000"


def run(data: bytes) -> None:
    """An address, and a URL of a scheme and a host; from those who are not trusted, nothing."""
    lines = data.decode("latin-1").split("\n")
    headers = tuple(
        (NAMES[ord(line[0]) % len(NAMES)] if line[:1].islower() else "Forwarded", line[1:])
        for line in lines
        if line
    )
    address, url = _told("10.0.0.1", headers)
    scheme, _, host = url.partition("://")
    ip_address(address)
    assert scheme in ("http", "https")
    assert parse_host(host) == host
    assert _told("192.0.2.1", headers) == ("192.0.2.1", f"http://{HOST}")
    host_alone = parse_host(lines[0])
    assert host_alone is None or parse_host(host_alone) == host_alone


def _told(peer: str, headers: tuple[tuple[str, str], ...]) -> tuple[str, str]:
    return client_of(
        peer=peer,
        is_secure=False,
        host=HOST,
        headers=headers,
        trusted=TRUSTED,
        public_url=None,
    )


TARGET = Target(
    run,
    (
        b'Ffor=192.0.2.7;proto=https;host="a.example:8443", for="[2001:db8::1]:99";by=10.0.0.2',
        b"b192.0.2.9, 10.0.0.3\nchttps, http\ndhub.example.org, x",
        b"Ffor=_hidden;host=[fd00::2]:5000, for=10.1.2.3",
    ),
    (b"for=", b"host=", b"proto=https", b'"', b"[::ffff:10.0.0.1]", b"%eth0", b"10.0.0.9", b"\nb"),
)
