"""A registry with users behind the mirror of ``tests/registry/edge.py``."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from typing import Any
from urllib.parse import parse_qs, urlsplit

from twisted.web.server import NOT_DONE_YET

from tests.registry.edge import Edge, Wire

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
#: What docker and containerd list.
ACCEPT = f"Accept: {INDEX}, {MANIFEST}, application/vnd.docker.distribution.manifest.list.v2+json"


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Hub:
    """Holds images; gives tokens; may be down, or hang. ``readers`` are those of private ones."""

    def __init__(self, edge: Edge) -> None:
        self.edge = edge
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.repositories: dict[str, set[str]] = {}
        self.tags: dict[tuple[str, str], str] = {}
        self.readers: dict[str, set[str]] = {}
        self.status: int | None = None
        self.hangs = False
        self.log: list[str] = []
        edge.upstream.answer = self._answer

    def put_image(self, repository: str, tag: str, layer: bytes, readers: str = "") -> str:
        """An image of one layer; the digest of its manifest. ``readers`` make it private."""
        config, held = b"{}", self.repositories.setdefault(repository, set())
        described = [
            {"mediaType": kind, "digest": digest_of(data), "size": len(data)}
            for kind, data in ((CONFIG, config), (LAYER, layer))
        ]
        body = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": described[0],
                "layers": described[1:],
            }
        ).encode()
        for data in (config, layer):
            self.blobs[digest_of(data)] = data
        self.manifests[digest_of(body)] = (MANIFEST, body)
        held |= {digest_of(config), digest_of(layer), digest_of(body)}
        self.tags[repository, tag] = digest_of(body)
        if readers:
            self.readers[repository] = set(readers.split())
        return digest_of(body)

    def token(self, user: str, repository: str) -> str:
        """An ``Authorization`` line with what the token server gives ``user``."""
        return f"Authorization: Bearer {user}:{repository}"

    def get(self, path: str, *headers: str, method: str = "GET") -> Wire:
        """A client's request to the mirror."""
        return self.edge.get(path, *headers, method=method)

    def asked(self) -> list[str]:
        """What has come since this was asked last, as ``METHOD path``."""
        log, self.log = self.log, []
        return log

    def _answer(self, request: Any) -> Any:
        path = request.path.decode()
        self.log.append(f"{request.method.decode()} {path}")
        if self.hangs:
            return NOT_DONE_YET
        if self.status is not None:
            request.setResponseCode(self.status)
            return b"down"
        if path == "/token":
            return self._token(request)
        return self._registry(request, path)

    def _token(self, request: Any) -> bytes:
        basics = {b64encode(f"{name}:pw".encode()).decode(): name for name in ("alice", "bob")}
        basic = (request.getHeader("authorization") or "").removeprefix("Basic ")
        user = basics.get(basic, "anonymous")
        scope = parse_qs(urlsplit(request.uri.decode()).query).get("scope", ["::"])[0]
        repository = scope.split(":")[1]
        return json.dumps({"token": f"{user}:{repository}", "expires_in": 300}).encode()

    def _registry(self, request: Any, path: str) -> bytes:
        if path == "/v2/":
            name, kind, last = [], "", ""
        else:
            *name, kind, last = path.removeprefix("/v2/").split("/")
        repository = "/".join(name)
        if not self._may(request, repository):
            request.setResponseCode(401)
            request.setHeader(
                "WWW-Authenticate",
                'Bearer realm="https://auth.example/token",service="hub",'
                f'scope="repository:{repository}:pull"',
            )
            return b'{"errors":[{"code":"UNAUTHORIZED","message":"who are you"}]}'
        return self._content(request, repository, kind, last)

    def _may(self, request: Any, repository: str) -> bool:
        token = (request.getHeader("authorization") or "").removeprefix("Bearer ")
        user, _, scope = token.partition(":")
        if not repository:
            return bool(user)
        if not user or scope != repository or repository not in self.repositories:
            return False
        return user in self.readers.get(repository, {user})

    def _content(self, request: Any, repository: str, kind: str, last: str) -> bytes:
        if not kind:
            return b"{}"
        if kind == "tags":
            names = sorted(tag for name, tag in self.tags if name == repository)
            request.setHeader("Content-Type", "application/json")
            return json.dumps({"name": repository, "tags": names}).encode()
        digest = self.tags.get((repository, last), last) if kind == "manifests" else last
        if digest not in self.repositories[repository]:
            request.setResponseCode(404)
            return b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"unknown"}]}'
        media_type, body = self.manifests.get(digest) or (
            "application/octet-stream",
            self.blobs[digest],
        )
        request.setHeader("Content-Type", media_type)
        request.setHeader("Docker-Content-Digest", digest)
        return _ranged(request, body)


def _ranged(request: Any, body: bytes) -> bytes:
    wanted = (request.getHeader("range") or "").removeprefix("bytes=")
    if not wanted:
        request.setHeader("Content-Length", str(len(body)))
        return body
    first, _, last = wanted.partition("-")
    if int(first) >= len(body):
        request.setResponseCode(416)
        request.setHeader("Content-Range", f"bytes */{len(body)}")
        return b""
    part = body[int(first) : int(last or len(body) - 1) + 1]
    request.setResponseCode(206)
    end = int(first) + len(part) - 1
    request.setHeader("Content-Range", f"bytes {first}-{end}/{len(body)}")
    return part
