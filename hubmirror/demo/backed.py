"""A store that asks a real registry (Debian's ``docker-registry``), open to us on loopback.

What is pushed to that registry is what the Hub serves, behind its challenge and redirects.
"""

from __future__ import annotations

from typing import Any

import treq
from attrs import frozen
from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse
from zope.interface import implementer

from hubmirror.demo.content import IBlob, Manifest
from hubmirror.demo.image import DOCKER, OCI
from hubmirror.demo.store import IStore
from hubmirror.naming import Digest, Reference

__all__ = ["BackedStore"]

_MANIFEST_TYPES = [OCI.index, OCI.manifest, DOCKER.index, DOCKER.manifest]
_CATALOG_SIZE = 1000


@implementer(IStore)
@frozen
class BackedStore:
    """A store whose every answer is asked of the registry at ``url`` (no path, no slash).

    An answer other than 200, 206 and 404 fails with ``RuntimeError``: the test's own
    registry is broken.
    """

    client: HTTPClient
    url: str

    def repositories(self) -> Deferred[tuple[str, ...]]:
        return Deferred.fromCoroutine(self._repositories())

    def tags(self, repository: str) -> Deferred[tuple[str, ...] | None]:
        return Deferred.fromCoroutine(self._tags(repository))

    def manifest(self, repository: str, reference: Reference) -> Deferred[Manifest | None]:
        return Deferred.fromCoroutine(self._manifest(f"/v2/{repository}/manifests/{reference}"))

    def referrers(self, repository: str, subject: Digest) -> Deferred[tuple[Manifest, ...] | None]:
        return Deferred.fromCoroutine(self._referrers(repository, subject))

    def blob(self, repository: str, digest: Digest) -> Deferred[IBlob | None]:
        return Deferred.fromCoroutine(self._blob(f"{self.url}/v2/{repository}/blobs/{digest}"))

    async def _repositories(self) -> tuple[str, ...]:
        document = await self._json(f"/v2/_catalog?n={_CATALOG_SIZE}")
        return tuple(sorted(document["repositories"] if document else ()))

    async def _tags(self, repository: str) -> tuple[str, ...] | None:
        document = await self._json(f"/v2/{repository}/tags/list")
        return None if document is None else tuple(sorted(document["tags"] or ()))

    async def _manifest(self, path: str) -> Manifest | None:
        response = await self.client.get(
            self.url + path, headers=Headers({"Accept": _MANIFEST_TYPES})
        )
        content = await treq.content(response)
        if not _is_found(response):
            return None
        return Manifest(_field(response, "Content-Type"), content)

    async def _referrers(self, repository: str, subject: Digest) -> tuple[Manifest, ...] | None:
        document = await self._json(f"/v2/{repository}/referrers/{subject}")
        if document is None:
            return None
        paths = [f"/v2/{repository}/manifests/{d['digest']}" for d in document["manifests"]]
        found = [await self._manifest(path) for path in paths]
        return tuple(manifest for manifest in found if manifest is not None)

    async def _blob(self, url: str) -> IBlob | None:
        response = await self.client.head(url)
        await treq.content(response)
        if not _is_found(response):
            return None
        return _BackedBlob(self.client, url, int(_field(response, "Content-Length")))

    async def _json(self, path: str) -> dict[str, Any] | None:
        response = await self.client.get(self.url + path)
        document = await treq.json_content(response)
        return document if _is_found(response) else None


@implementer(IBlob)
@frozen
class _BackedBlob:
    client: HTTPClient
    url: str
    size: int

    def read(self, offset: int, length: int) -> Deferred[bytes]:
        """One ranged request a piece, so back-pressure comes by itself."""
        return Deferred.fromCoroutine(self._read(f"bytes={offset}-{offset + length - 1}"))

    async def _read(self, range_: str) -> bytes:
        response = await self.client.get(self.url, headers=Headers({"Range": [range_]}))
        content: bytes = await treq.content(response)
        if not _is_found(response):
            raise RuntimeError("the registry behind the Hub lost a blob")
        return content


def _is_found(response: IResponse) -> bool:
    code: int = response.code
    if code not in (200, 206, 404):
        raise RuntimeError(f"the registry behind the Hub answered {code}")
    return code != 404


def _field(response: IResponse, name: str) -> str:
    values: list[str] | None = response.headers.getRawHeaders(name)
    if not values:
        raise RuntimeError(f"the registry behind the Hub sent no {name}")
    return values[0]
