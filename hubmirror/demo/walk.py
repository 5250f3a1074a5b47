"""A pull through a mirror, one step after another, told in lines that a person can follow.

It does what docker does (OCI distribution-spec 1.1, "Pulling manifests"; Docker's "Token
Authentication Specification"), and checks what docker doesn't: that the client is never led
past the mirror.
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Callable, Mapping
from typing import Any

import treq
from attrs import define, field, frozen
from treq.client import HTTPClient
from twisted.web.http_headers import Headers

from hubmirror.demo.content import sha256_digest
from hubmirror.demo.image import DOCKER, OCI

__all__ = ["StepFailed", "Walk", "host_architecture"]

_ACCEPTED = ", ".join((OCI.index, DOCKER.index, OCI.manifest, DOCKER.manifest))
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


class StepFailed(Exception):
    """A step that went otherwise than it must; the text tells how."""


@frozen
class _Answer:
    status: int
    headers: Headers
    content: bytes

    def field(self, name: str) -> str:
        """The first header called ``name``; empty without one."""
        values = self.headers.getRawHeaders(name) or [""]
        return values[0]


@define
class Walk:
    """Pulls ``repository:tag`` for Linux on ``architecture``: ``documents``, then each ``blob``.

    ``mirror_url`` has no path. ``upstream_realm`` is the realm that the client must not see;
    ``say`` takes the name of each step and what came of it. Any step raises ``StepFailed``.
    """

    _client: HTTPClient
    _mirror_url: str
    _repository: str
    _tag: str
    _architecture: str
    _upstream_realm: str
    _say: Callable[[str, str], None]
    _authorization: str = field(init=False, default="", repr=False)

    async def documents(self) -> list[Mapping[str, Any]]:
        """From the challenge to the manifest; gives the descriptors of config and layers."""
        realm = await self._challenge()
        await self._token(realm)
        entry = await self._index()
        return await self._manifest(entry)

    async def blob(self, kind: str, descriptor: Mapping[str, Any]) -> None:
        """Take one blob; ``kind`` is what to call it."""
        digest = descriptor["digest"]
        answer = await self._get(f"blobs/{digest}")
        if len(answer.content) != descriptor["size"]:
            raise StepFailed(
                f"the {kind} has {len(answer.content)} bytes instead of {descriptor['size']}"
            )
        _check_digest(f"the {kind}", answer.content, digest)
        self._say(kind, f"{len(answer.content)} bytes, {digest}")

    async def quota(self) -> None:
        """Tell what the mirror has counted."""
        answer = await self._expect(200, f"{self._mirror_url}/quota")
        quota = json.loads(answer.content)
        self._say(
            "quota",
            f"{quota['used']} of {quota['limit']} requests used today, "
            f"{quota['remaining']} remaining until {quota['reset']}",
        )

    async def _challenge(self) -> str:
        answer = await self._expect(401, f"{self._mirror_url}/v2/")
        challenge = answer.field("WWW-Authenticate")
        parameters = dict(_PARAMETER.findall(challenge))
        if not challenge.lower().startswith("bearer ") or "realm" not in parameters:
            raise StepFailed(f"GET /v2/ came with no Bearer challenge: {challenge!r}")
        self._say("challenge", f"GET /v2/ is 401, {challenge}")
        realm: str = parameters["realm"]
        if realm != f"{self._mirror_url}/token":
            raise StepFailed(f"the realm leads past the mirror: {realm}")
        self._say("realm", f"rewritten from {self._upstream_realm} to {realm}")
        return realm

    async def _token(self, realm: str) -> None:
        scope = f"repository:{self._repository}:pull"
        answer = await self._expect(200, f"{realm}?service=registry.demo&scope={scope}")
        document = json.loads(answer.content)
        token = document.get("token") or document.get("access_token")
        if not token:
            raise StepFailed("the token server's answer holds no token")
        self._authorization = f"Bearer {token}"
        self._say("token", f"for {scope}, good for {document.get('expires_in', 60)} s")

    async def _index(self) -> Mapping[str, Any]:
        """The index's entry for this architecture."""
        answer = await self._get(f"manifests/{self._tag}")
        digest = answer.field("Docker-Content-Digest")
        _check_digest(f"{self._repository}:{self._tag}", answer.content, digest)
        entries = json.loads(answer.content)["manifests"]
        platforms = ", ".join(
            f"{entry['platform']['os']}/{entry['platform']['architecture']}" for entry in entries
        )
        self._say("index", f"{self._repository}:{self._tag} is {digest}, for {platforms}")
        for entry in entries:
            if entry["platform"]["architecture"] == self._architecture:
                found: Mapping[str, Any] = entry
                return found
        raise StepFailed(f"the index has nothing for linux/{self._architecture}")

    async def _manifest(self, entry: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """The descriptors of the config and the layers."""
        digest = entry["digest"]
        answer = await self._get(f"manifests/{digest}")
        _check_digest("the manifest", answer.content, digest)
        document = json.loads(answer.content)
        count = len(document["layers"])
        self._say("manifest", f"for linux/{self._architecture}, {digest}, layers: {count}")
        return [document["config"], *document["layers"]]

    async def _get(self, path: str) -> _Answer:
        return await self._expect(200, f"{self._mirror_url}/v2/{self._repository}/{path}")

    async def _expect(self, status: int, url: str) -> _Answer:
        """Ask, following nothing; raises ``StepFailed`` for any other status."""
        headers = Headers({"Accept": [_ACCEPTED]})
        if self._authorization:
            headers.setRawHeaders("Authorization", [self._authorization])
        response = await self._client.get(url, headers=headers, allow_redirects=False)
        content = await treq.content(response)
        if response.code != status:
            text = content[:300].decode("utf-8", "replace")
            path = url.partition("?")[0]
            raise StepFailed(f"GET {path} answered {response.code} instead of {status}: {text}")
        return _Answer(response.code, response.headers, content)


def host_architecture() -> str:
    """The architecture of this machine in the words of images; ``amd64`` where it is another."""
    return {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "amd64")


def _check_digest(what: str, content: bytes, digest: str) -> None:
    found = sha256_digest(content)
    if str(found) != digest:
        raise StepFailed(f"{what} hashes to {found} instead of {digest}")
