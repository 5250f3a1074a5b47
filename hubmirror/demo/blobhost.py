"""The Hub's blob host: another origin, where a signed URL is all the right there is.

It answers 400 to a request that also has ``Authorization``, as object stores do.
"""

from __future__ import annotations

from twisted.web.resource import Resource
from twisted.web.server import Request

from hubmirror.demo.content import IBlob
from hubmirror.demo.errors import BlobUnknown
from hubmirror.demo.host import Host, HostResource, request_field
from hubmirror.demo.ranges import Unsatisfiable, parse_range
from hubmirror.demo.sending import send, send_content
from hubmirror.demo.signing import UrlSigner
from hubmirror.demo.store import IStore
from hubmirror.errors import BadRequest, Denied
from hubmirror.naming import Digest, parse_digest

__all__ = ["BlobRoot"]


class BlobRoot(Resource):
    """The root of the blob host."""

    def __init__(self, host: Host, store: IStore, signer: UrlSigner) -> None:
        super().__init__()
        self._host = host
        self._store = store
        self._signer = signer

    def getChild(self, _path: bytes, _request: Request) -> Resource:
        """The one resource for the whole path."""
        return _BlobResource(self._host, self._store, self._signer)


class _BlobResource(HostResource):
    """``/blobs/<name>/<digest>?expires=&methods=&signature=``."""

    def __init__(self, host: Host, store: IStore, signer: UrlSigner) -> None:
        super().__init__(host)
        self._store = store
        self._signer = signer

    async def answer(self, request: Request) -> None:
        """Redirect where a fault says so, else serve the blob to whoever has the signature."""
        faults = self.host.faults
        location = request.uri.decode("ascii") if faults.redirect_loop else faults.redirect_to
        if location is not None:
            request.setResponseCode(faults.redirect_status)
            request.setHeader("Location", location)
            await send_content(request, self.host, "text/plain", b"see Location\n")
            return
        self._check(request)
        await self._serve(request)

    def _check(self, request: Request) -> None:
        if request.requestHeaders.hasHeader("Authorization"):
            raise BadRequest("only one auth mechanism allowed: the signature in the URL")
        query = {
            name.decode("latin-1"): values[0].decode("latin-1")
            for name, values in request.args.items()
        }
        method, path = request.method.decode("ascii"), request.path.decode("ascii")
        is_refused = self.host.faults.refuse_head and method == "HEAD"
        if is_refused or not self._signer.allows(method, path, query):
            raise Denied("the signature is wrong, has expired, or is for another method")

    async def _serve(self, request: Request) -> None:
        name, digest = _parse_path(request.path.decode("ascii"))
        blob = await self._store.blob(name, digest)
        if blob is None:
            raise BlobUnknown
        request.setHeader("Accept-Ranges", "bytes")
        request.setHeader("Content-Type", "application/octet-stream")
        request.setHeader("ETag", f'"{digest.encoded[:32]}"')
        start, stop = _span(request, blob, f'"{digest.encoded[:32]}"')
        await send(request, self.host, blob, start, stop)


def _span(request: Request, blob: IBlob, etag: str) -> tuple[int, int]:
    """The bytes to send; sets the status and ``Content-Range`` (RFC 9110, 14)."""
    condition = request_field(request, "If-Range")
    field = request_field(request, "Range") if condition in (None, etag) else None
    try:
        span = parse_range(field, blob.size)
    except Unsatisfiable:
        request.setResponseCode(416)
        request.setHeader("Content-Range", f"bytes */{blob.size}")
        return 0, 0
    if span is None:
        return 0, blob.size
    request.setResponseCode(206)
    request.setHeader("Content-Range", f"bytes {span[0]}-{span[1] - 1}/{blob.size}")
    return span


def _parse_path(path: str) -> tuple[str, Digest]:
    """The repository and the digest of a path whose signature was right."""
    name, _, digest = path.removeprefix("/blobs/").rpartition("/")
    return name, parse_digest(digest)
