"""``tags/list``, ``referrers`` and ``_catalog``: JSON documents about what is there."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from twisted.web.server import Request

from hubmirror.demo.content import OCI_INDEX, Manifest
from hubmirror.demo.errors import NameUnknown
from hubmirror.demo.front import Front, FrontResource, RepositoryResource
from hubmirror.demo.sending import send_content
from hubmirror.demo.tokens import CATALOG
from hubmirror.errors import BadRequest, NotFound
from hubmirror.naming import Digest

__all__ = ["CatalogResource", "ReferrersResource", "TagsResource"]

_JSON = "application/json"


class TagsResource(RepositoryResource):
    """``/v2/<name>/tags/list?n=&last=``."""

    async def serve(self, request: Request) -> None:
        """Answer with one page of the tags."""
        tags = await self.front.store.tags(self.repository)
        if tags is None:
            raise NameUnknown(detail={"name": self.repository})
        document = {"name": self.repository, "tags": _page(request, tags)}
        await send_content(request, self.host, _JSON, json.dumps(document).encode())


class CatalogResource(FrontResource):
    """``/v2/_catalog?n=&last=``, for users only."""

    scope = CATALOG

    async def serve(self, request: Request) -> None:
        """Answer with one page of the repositories' names."""
        names = _page(request, await self.front.store.repositories())
        await send_content(request, self.host, _JSON, json.dumps({"repositories": names}).encode())


class ReferrersResource(RepositoryResource):
    """``/v2/<name>/referrers/<digest>?artifactType=``."""

    def __init__(self, front: Front, repository: str, subject: Digest) -> None:
        super().__init__(front, repository)
        self._subject = subject

    async def serve(self, request: Request) -> None:
        """Answer with an index of the manifests that have this subject."""
        found = await self.front.store.referrers(self.repository, self._subject)
        if found is None:
            raise NotFound("this registry has no referrers API")
        wanted = _parameter(request, "artifactType")
        if wanted is not None:
            request.setHeader("OCI-Filters-Applied", "artifactType")
        entries = [_referrer(manifest) for manifest in found]
        index = {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [e for e in entries if wanted in (None, e["artifactType"])],
        }
        await send_content(request, self.host, OCI_INDEX, json.dumps(index).encode())


def _referrer(manifest: Manifest) -> dict[str, object]:
    document = manifest.document
    artifact_type = document.get("artifactType") or document["config"]["mediaType"]
    return {**manifest.descriptor(), "artifactType": artifact_type}


def _page(request: Request, names: tuple[str, ...]) -> list[str]:
    """The names after ``last``, at most ``n``; a ``Link`` to the next page where there is one."""
    last = _parameter(request, "last") or ""
    count = _parameter(request, "n")
    rest = [name for name in names if name > last]
    if count is None:
        return rest
    if not count.isdecimal():
        raise BadRequest("n must be a number")
    page = rest[: int(count)]
    if page and len(page) < len(rest):
        query = urlencode({"last": page[-1], "n": count})
        request.setHeader("Link", f'<{request.path.decode("ascii")}?{query}>; rel="next"')
    return page


def _parameter(request: Request, name: str) -> str | None:
    values = request.args.get(name.encode())
    return values[0].decode("utf-8", "replace") if values else None
