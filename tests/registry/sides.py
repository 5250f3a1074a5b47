"""A mirror in memory and what it is asked: by a generator that is the same for the same seed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_network
from itertools import accumulate, islice
from random import Random
from typing import Any

from attrs import frozen

from hubmirror.quota.accounts import Dimension
from hubmirror.quota.rules import ClientLimits, Rules
from hubmirror.registry.site import Frontage
from tests.mirror.hub import INDEX, MANIFEST, Hub, digest_of
from tests.registry.edge import Edge, Wire

__all__ = ["Play", "Told"]

#: What each mirror makes by itself: ids with the date that follows, and tokens signed by its key.
_IDS = re.compile(rb"X-Request-Id: [0-9a-f]{16}\r\nServer: hubmirror\r\nDate: [^\r]+\r\n")
_TOKENS = re.compile(rb"\"eyJ[\w.-]+")
_PEERS = [f"192.0.2.{number}" for number in range(1, 8)]
_HIDDEN_BY = "192.0.2.1"
#: Header lines that mostly lead upstream, or to the end of the connection.
_SELDOM = [
    *(b"Accept: text/plain", b"Accept: \xe9", b"Accept:", b"Connection: close"),
    *(b"Host: mirror.example:5000", b"Transfer-Encoding: chunked", b"Content-Length: 1"),
    *(b" folded", b"No colon", b"X : y", b"X: \x00"),
]


@frozen
class Told:
    """What came of some requests that were sent at once: the bytes that the client got but for

    what each mirror makes by itself, whether that was the end, and the lines in the log.
    """

    asked: bytes
    got: bytes
    hung_up: bool
    lines: tuple[dict[str, Any], ...]


class Play:
    """``count`` requests to one mirror, of which the day allows about half."""

    def __init__(self, count: int, *, is_quick: bool) -> None:
        self._count = count
        self._side = Side(quota=count // 2, is_quick=is_quick)

    def told(self) -> Iterator[Told]:
        """What comes of them, as they are asked."""
        random, side, sent = Random(20260101), self._side, 0  # noqa: S311
        requests = _requests(random, side.hub)
        while sent < self._count:
            _now_and_then(random, side)
            batch = list(islice(requests, random.choice((1, 4, 16, 32))))
            sent += len(batch)
            yield side.ask(b"".join(batch), random.choice(_PEERS))

    def counted(self) -> dict[str, Any]:
        """All that was counted."""
        quota = self._side.edge.quota
        tops = {one.name: quota.top(one, 1000) for one in Dimension}
        return {"all": quota.tally.since_start().as_json(), "day": quota.day(), **tops}


class Side:
    """The mirror, with a kept connection of each client."""

    def __init__(self, *, quota: int, is_quick: bool) -> None:
        rules = Rules(
            per_day=quota,
            networks={"few": (ip_network("192.0.2.3/32"),)},
            clients=(ClientLimits(network="few", requests_per_minute=50, bytes_per_day=2_000_000),),
        )
        proxies = Frontage(trusted_proxies=(ip_network(f"{_HIDDEN_BY}/32"),))
        self.edge = Edge(
            is_quick=is_quick,
            remembers=True,
            rules=rules,
            frontage=proxies,
            prefetch="off",
            tag_ttl="5m",
            stale_while_revalidate="1m",
        )
        self.lines: list[dict[str, Any]] = []
        self.edge.site.log_request = self.lines.append  # type: ignore[method-assign,assignment]
        self.hub = _filled(Hub(self.edge))
        self._connections: dict[str, tuple[Any, Wire]] = {}

    def ask(self, data: bytes, peer: str) -> Told:
        """Send ``data`` on this client's connection, a new one where the last is over."""
        if peer in self._connections and self._connections[peer][1].hung_up:
            self._connections.pop(peer)[0].connectionLost()
        if peer not in self._connections:
            self._connections[peer] = self.edge.connect(peer)
        protocol, wire = self._connections[peer]
        wire.clear()
        self.lines.clear()
        protocol.dataReceived(data)
        while protocol.is_busy:
            self.edge.settle()
        lines = tuple({**line, "id": None} for line in self.lines)
        return Told(data, _TOKENS.sub(b"", _IDS.sub(b"", wire.value())), wire.hung_up, lines)


def _filled(hub: Hub) -> Hub:
    hub.put_image("library/hello", "latest", b"first")
    hub.put_image("library/hello", "v1", b"second" * 300)
    hub.put_image("team/app", "latest", b"private", readers="alice")
    for number in range(30):
        hub.put_image("library/cold", f"v{number}", b"cold %d" % number)
    return hub


def _now_and_then(random: Random, side: Side) -> None:
    """Time goes on, tags move, the upstream fails."""
    what = random.randrange(8000)
    if what < 60:
        side.edge.clock.advance(what)
    elif what < 63:
        side.hub.put_image("library/hello", "latest", b"moved %d" % what)
    elif what < 66:
        side.hub.status = 503 if side.hub.status is None else None


def _requests(random: Random, hub: Hub) -> Iterator[bytes]:
    """Requests without end, most of them for what is kept."""
    paths, headers = _paths(hub), _headers(hub)
    weights = list(accumulate(weight for weight, _ in paths))
    while True:
        [(_, path)] = random.choices(paths, cum_weights=weights)
        version = b"1.0" if random.random() < 0.005 else b"1.1"
        lines = [b"%b %b HTTP/%b" % (_method(random), path, version)]
        if random.random() < 0.998:
            lines.append(b"Host: mirror.example:5000")
        lines += random.choices(headers, k=random.choice((0, 1, 1, 2, 3)))
        if random.random() < 0.01:
            lines.append(random.choice(_SELDOM))
        yield b"\r\n".join([*lines, b"", b""])


def _method(random: Random) -> bytes:
    if random.random() < 0.97:
        return random.choice((b"GET", b"GET", b"HEAD"))
    return random.choice((b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE", b"BREW"))


def _paths(hub: Hub) -> list[tuple[float, bytes]]:
    """Each with how often it is asked for."""
    kept = hub.tags["library/hello", "latest"]
    private = hub.tags["team/app", "latest"]
    [layer] = [digest for digest, data in hub.blobs.items() if data == b"first"]
    hello = "/v2/library/hello"
    often = [
        *(f"{hello}/manifests/latest", "/v2/hello/manifests/latest", f"{hello}/manifests/v1"),
        *(f"{hello}/manifests/latest?ns=docker.io", f"{hello}/manifests/{kept}"),
        f"http://127.0.0.1:5000{hello}/manifests/latest",
    ]
    refused = [
        *("/v2/Hello/manifests/latest", f"{hello}/manifests/.x", f"{hello}/blobs/sha256:0"),
        *("/v2/%2e%2e/manifests/latest", "/v2/a%2Fb/manifests/x", "/v2/%ff/manifests/latest"),
        *("/v2/hello/manifests/latest%0d%0aX:%20y", f"{hello}/tags/list?last=%00", "/v2/hello"),
        *("/v2//manifests/latest", "//v2/hello/manifests/latest", "/v2", "/", "/elsewhere"),
        *("/v2/../v2/hello/manifests/latest", "/v2/hello/manifests/latest#x", "*"),
        *("/%76%32/library/hello/manifests/latest", "/v2/hello/manifests/latest/"),
    ]
    seldom = [
        *("/v2/", f"{hello}/tags/list", f"{hello}/tags/list?n=1"),
        *(f"{hello}/referrers/{kept}", f"{hello}/manifests/none", "/v2/no/such/manifests/x"),
        *("/v2/team/app/manifests/latest", f"/v2/team/app/manifests/{private}"),
        *(f"{hello}/blobs/{layer}", f"/v2/team/app/blobs/{layer}", f"{hello}/blobs/{private}"),
        *(f"/v2/library/cold/manifests/v{number}" for number in range(30)),
        "/token?service=hub&scope=repository:library/hello:pull",
        f"{hello}/blobs/{digest_of(b'nothing')}",
    ]
    return [
        *((100.0, path.encode()) for path in often),
        *((8.0, path.encode()) for path in refused),
        *((0.2, path.encode()) for path in seldom),
    ]


def _headers(hub: Hub) -> list[bytes]:
    kept = hub.tags["library/hello", "latest"]
    return [
        line.encode("latin-1")
        for line in (
            *(f"Accept: {MANIFEST}", f"Accept: {INDEX}, {MANIFEST};q=0.5", "Accept: */*"),
            *(f'If-None-Match: "{kept}"', f'If-None-Match: W/"{kept}", "x"', "If-None-Match: *"),
            *('If-None-Match: "x"', "Range: bytes=0-9", "Range: bytes=5-", "Range: x"),
            hub.token("alice", "library/hello"),
            hub.token("alice", "team/app"),
            hub.token("bob", "team/app"),
            hub.token("anonymous", "library/hello"),
            *("Authorization: Basic YWxpY2U6cHc=", "Authorization: Bearer", "Authorization:"),
            *("X-Forwarded-For: 198.51.100.7", "X-Forwarded-Proto: https", "Forwarded: for=x"),
            *("X-Forwarded-Host: other.example", "Connection: keep-alive", "User-Agent: docker"),
            *("Content-Length: 0", "Expect: 100-continue", "Cookie: a=b", "If-Range: x"),
            *("Cache-Control: no-cache", "Connection: Upgrade", "Upgrade: h2c"),
        )
    ]
