"""Several registries with the same names behind one mirror."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import urlsplit

from hubmirror.config import Upstream
from tests.registry.edge import Edge, Wire

__all__ = ["BODY", "DIGEST", "MANIFEST", "World", "told"]

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
UPSTREAMS = (
    Upstream("ghcr.io", "https://ghcr.io", hosts=("ghcr.hub.example",)),
    Upstream(
        "quay.io", "https://quay.io", fallbacks=("https://one.example", "https://two.example")
    ),
)
BODY = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST}).encode()
DIGEST = f"sha256:{hashlib.sha256(BODY).hexdigest()}"


class World:
    """Registries that all have the same public images, and a token server each.

    ``down`` are hosts that answer 503; ``asked`` has each request's host, path and query, and
    credential.
    """

    def __init__(self) -> None:
        self.edge = Edge(upstreams=UPSTREAMS, allow_upstreams=("*.gcr.io",), prefetch="off")
        self.edge.upstream.answer = self._answer
        self.down: set[str] = set()
        self.asked: list[tuple[str, str, str | None]] = []

    def get(self, path: str, *headers: str, host: str = "mirror.example") -> Wire:
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}", f"Accept: {MANIFEST}", *headers, "", ""]
        return self.edge.send("\r\n".join(lines).encode())

    def hosts(self) -> list[str]:
        """Who was asked since this was asked last."""
        hosts = [host for host, _, _ in self.asked]
        self.asked.clear()
        return hosts

    def _answer(self, request: Any) -> bytes:
        host = request.requestHeaders.getRawHeaders("host")[0].partition(":")[0]
        credential = request.requestHeaders.getRawHeaders("authorization", [None])[0]
        target = request.uri.decode()
        self.asked.append((host, target, credential))
        if host in self.down:
            request.setResponseCode(503)
            return b""
        if urlsplit(target).path == "/token":
            return json.dumps({"token": f"of-{host}"}).encode()
        if credential != f"Bearer of-{host}":
            request.setResponseCode(401)
            challenge = f'Bearer realm="https://{host}/token",service="{host}",scope="x"'
            request.setHeader("WWW-Authenticate", challenge)
            return b"{}"
        if target.endswith("/tags/list?n=1"):
            request.setHeader("Link", '</v2/owner/app/tags/list?n=1&last=a>; rel="next"')
            return b"{}"
        request.setHeader("Content-Type", MANIFEST)
        request.setHeader("Docker-Content-Digest", DIGEST)
        return BODY


def told(wire: Wire, name: str) -> str:
    """A field of the answer."""
    lines = [line for line in wire.head().splitlines() if line.startswith(f"{name}: ")]
    assert len(lines) == 1, wire.head()
    return lines[0]
