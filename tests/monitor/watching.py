"""A whole mirror with its monitoring endpoints, for the tests of each."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any

from twisted.web.server import Request

from hubmirror.fetching.fetch import FetchStatus
from hubmirror.monitor.access import Access, Viewer
from hubmirror.monitor.history import HistoryResource
from hubmirror.monitor.quota import QuotaResource
from hubmirror.monitor.report import Reporter
from hubmirror.monitor.stream import StreamResource
from hubmirror.naming import Digest, Repository
from hubmirror.quota.rules import Rules
from hubmirror.tokens.credentials import LoginStatus
from hubmirror.upstream.breaker import BreakerStatus
from tests.registry.edge import Edge, Wire

__all__ = ["DIGEST", "TOKEN", "Watched", "unchunked", "viewer_of"]

TOKEN = "correct-horse-battery"
DIGEST = Digest("sha256", "0" * 64)

_PROXIES = (
    *("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via"),
)


def viewer_of(request: Request) -> Viewer:
    """Who asks to watch."""
    asked: Any = request
    client, told = asked.mirror_client, asked.mirror_client.public_url.partition("://")[2]
    is_relayed = any(asked.requestHeaders.hasHeader(name) for name in _PROXIES)
    is_hidden = is_relayed and client.address == asked.channel.peer_host()
    return Viewer(client.address, (asked.text_header("Host") or told, told), is_hidden)


class Watched(Edge):
    """``edge`` with ``/quota`` and what is below it. The lists and the login are what it tells."""

    def __init__(
        self,
        rules: Rules | None = None,
        *,
        allow: Sequence[str] = (),
        token: str | None = None,
        is_public: bool = False,
        login: LoginStatus | None = None,
        host_names: frozenset[str] = frozenset({"localhost", "mirror.example"}),
        **settings: Any,
    ) -> None:
        super().__init__(rules=rules, **settings)
        self.outages: list[BreakerStatus] = []
        self.fetches: list[FetchStatus] = []
        self.repositories: dict[Digest, list[Repository]] = {}
        self.access = Access(viewer_of, tuple(map(ip_network, allow)), token, is_public, host_names)
        self.reporter = Reporter(
            quota=self.quota,
            upstream="https://registry.example",
            outages=lambda: self.outages,
            fetches=lambda: self.fetches,
            repositories=lambda digest: self.repositories.get(digest, ()),
            login=None if login is None else lambda: login,
            clock=self.now,
            began=self.now(),
        )
        self.stream = StreamResource(self.access, self.reporter, self.clock)
        history = HistoryResource(self.access, self.quota.tally, self.clock)
        self.resource = QuotaResource(self.access, self.reporter, history, self.stream)
        root: Any = self.site.resource
        root.putChild(b"quota", self.resource)

    def ask(
        self,
        path: str,
        *headers: str,
        peer: str = "127.0.0.1",
        host: str = "localhost:5000",
        method: str = "GET",
    ) -> Wire:
        """One request of ``peer`` to ``host``, which is this machine."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *headers, "", ""]
        return self.send("\r\n".join(lines).encode("latin-1"), peer)


def unchunked(body: bytes) -> bytes:
    """``body`` without its framing (RFC 9112, section 7.1); what is not whole is left out."""
    whole = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        whole += rest[:length]
        body = rest[length + 2 :]
    return whole
