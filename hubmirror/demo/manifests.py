"""``/v2/<name>/manifests/<reference>``, and which manifest a client's ``Accept`` can have."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.web.server import Request

from hubmirror.demo.content import INDEX_TYPES, OCI_INDEX, Manifest
from hubmirror.demo.errors import ManifestUnknown
from hubmirror.demo.front import Front, RepositoryResource
from hubmirror.demo.host import request_field, set_fields
from hubmirror.demo.sending import send_content
from hubmirror.naming import Reference, Tag, parse_digest

__all__ = ["ManifestResource", "accepted_types"]


class ManifestResource(RepositoryResource):
    """One manifest, by tag or by digest."""

    def __init__(self, front: Front, repository: str, reference: Reference) -> None:
        super().__init__(front, repository)
        self._reference = reference

    async def serve(self, request: Request) -> None:
        """Answer with the manifest; a GET is a pull, a HEAD is free."""
        manifest = await self._negotiated(request)
        etag = f'"{manifest.digest}"'
        if not self.host.faults.hide_digest:
            fields = [("Docker-Content-Digest", str(manifest.digest)), ("ETag", etag)]
            set_fields(request, fields)
        if request_field(request, "If-None-Match") in (etag, str(manifest.digest), "*"):
            request.setResponseCode(304)
            return
        pulls, source = self.front.pulls, self.claims.user or request.getClientAddress().host
        is_pull = request.method == b"GET"
        set_fields(request, pulls.count(source) if is_pull else pulls.fields(source))
        await send_content(request, self.host, manifest.media_type, manifest.content)

    async def _negotiated(self, request: Request) -> Manifest:
        manifest = await self.front.store.manifest(self.repository, self._reference)
        if manifest is None:
            raise ManifestUnknown(detail={"reference": str(self._reference)})
        accepted = accepted_types(tuple(request.requestHeaders.getRawHeaders("Accept") or ()))
        if manifest.media_type not in INDEX_TYPES or manifest.media_type in accepted:
            return manifest
        if not accepted or "*/*" in accepted:
            return manifest
        if manifest.media_type == OCI_INDEX:
            raise ManifestUnknown("OCI index found, but accept header does not support OCI indexes")
        return await self._first_platform(manifest)

    async def _first_platform(self, index: Manifest) -> Manifest:
        """For a client from before manifest lists: by tag the list's linux/amd64 entry."""
        if not isinstance(self._reference, Tag):
            return index
        for entry in index.document["manifests"]:
            if (entry["platform"]["os"], entry["platform"]["architecture"]) == ("linux", "amd64"):
                digest = parse_digest(entry["digest"])
                found = await self.front.store.manifest(self.repository, digest)
                if found is not None:
                    return found
        raise ManifestUnknown("the manifest list has no entry for linux/amd64")


def accepted_types(fields: Sequence[str]) -> set[str]:
    """The media types that these ``Accept`` fields list, weights and parameters aside."""
    entries = ",".join(fields).split(",")
    return {entry.partition(";")[0].strip().lower() for entry in entries} - {""}
