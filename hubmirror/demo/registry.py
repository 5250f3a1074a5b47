"""The Hub's registry: ``/v2/`` and what lies beneath it (OCI distribution-spec 1.1).

A path is parsed from the right, since a repository's name may itself hold ``manifests``.
"""

from __future__ import annotations

from twisted.web.resource import Resource
from twisted.web.server import Request

from hubmirror.demo.errors import BlobUnknown
from hubmirror.demo.front import Front, FrontResource, RepositoryResource
from hubmirror.demo.host import HostResource
from hubmirror.demo.listings import CatalogResource, ReferrersResource, TagsResource
from hubmirror.demo.manifests import ManifestResource
from hubmirror.demo.search import SearchResource
from hubmirror.demo.sending import send_content
from hubmirror.errors import NotFound, RegistryError
from hubmirror.naming import Digest, Repository, parse_digest, parse_reference

__all__ = ["BlobResource", "RegistryRoot"]


class RegistryRoot(Resource):
    """The root of the registry's host."""

    def __init__(self, front: Front) -> None:
        super().__init__()
        self._front = front

    def getChild(self, path: bytes, request: Request) -> Resource:
        """The one resource for the whole path."""
        parts: list[bytes] = [path, *(request.postpath or ())]
        segments = [part.decode("utf-8", "replace") for part in parts]
        if segments == ["v1", "search"]:
            return SearchResource(self._front)
        if segments[0] != "v2":
            return HostResource(self._front.host)
        try:
            return _resource(self._front, segments[1:])
        except RegistryError as error:
            return _Refusal(self._front, error)


def _resource(front: Front, segments: list[str]) -> Resource:
    """The resource at these segments beneath ``/v2``; raises ``RegistryError``."""
    match segments:
        case [] | [""]:
            return _Ping(front)
        case ["_catalog"]:
            return CatalogResource(front)
        case [*name, "tags", "list"]:
            return TagsResource(front, _repository(name))
        case [*name, "manifests", reference]:
            return ManifestResource(front, _repository(name), parse_reference(reference))
        case [*name, "blobs", digest]:
            return BlobResource(front, _repository(name), parse_digest(digest))
        case [*name, "referrers", digest]:
            return ReferrersResource(front, _repository(name), parse_digest(digest))
    raise NotFound


def _repository(components: list[str]) -> str:
    return Repository("", "/".join(components)).name


class BlobResource(RepositoryResource):
    """``/v2/<name>/blobs/<digest>``: a redirect to the blob host, with a signature for a while."""

    def __init__(self, front: Front, repository: str, digest: Digest) -> None:
        super().__init__(front, repository)
        self._digest = digest

    async def serve(self, request: Request) -> None:
        """Redirect, or 404 where the repository has no such blob."""
        if await self.front.store.blob(self.repository, self._digest) is None:
            raise BlobUnknown(detail={"digest": str(self._digest)})
        faults = self.host.faults
        request.setResponseCode(faults.redirect_status)
        request.setHeader("Location", faults.redirect_to or self._signed_url())
        request.setHeader("Docker-Content-Digest", str(self._digest))
        await send_content(request, self.host, "text/plain", b"see Location\n")

    def _signed_url(self) -> str:
        path = f"/blobs/{self.repository}/{self._digest}"
        return f"{self.front.blob_url}{path}?{self.front.signer.query(path)}"


class _Ping(FrontResource):
    """``/v2/``: any good token will do."""

    async def serve(self, request: Request) -> None:
        await send_content(request, self.host, "application/json", b"{}")


class _Refusal(FrontResource):
    """A path outside the spec's grammar."""

    def __init__(self, front: Front, error: RegistryError) -> None:
        super().__init__(front)
        self._error = error

    async def answer(self, _request: Request) -> None:
        raise self._error
