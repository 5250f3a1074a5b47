"""The store that asks another registry: here an open one with a few answers, over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
from treq.client import HTTPClient
from twisted.web.client import Agent
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from hubmirror.demo.backed import BackedStore
from hubmirror.demo.content import sha256_digest
from hubmirror.demo.image import OCI
from hubmirror.naming import Digest, Tag

BLOB = bytes(range(100))
DIGEST = sha256_digest(BLOB)
OTHER = Digest("sha256", "0" * 64)
MANIFEST = b'{"schemaVersion": 2}'
REFERRERS = f'{{"manifests": [{{"digest": "{OTHER}"}}]}}'.encode()


class Document(Resource):
    """The same bytes for every GET."""

    def __init__(self, content: bytes, media_type: str) -> None:
        super().__init__()
        self._content = content
        self._media_type = media_type

    def render_GET(self, request: Request) -> bytes:
        request.setHeader("Content-Type", self._media_type)
        return self._content


class Ranged(Resource):
    """A blob, whole or a span of it."""

    def render_GET(self, request: Request) -> bytes:
        field = request.getHeader("Range")
        if field is None:
            return BLOB
        first, _, last = field.removeprefix("bytes=").partition("-")
        request.setResponseCode(206)
        return BLOB[int(first) : int(last) + 1]


class OpenRegistry(Resource):
    """A registry without a challenge, that knows ``a/b``; it is broken for ``bad``."""

    def getChild(self, path: bytes, request: Request) -> Resource:
        whole = b"/".join([path, *(request.postpath or ())]).decode()
        del (request.postpath or [])[:]
        known: dict[str, Resource] = {
            "v2/_catalog": Document(b'{"repositories": ["b", "a/b"]}', "application/json"),
            "v2/a/b/tags/list": Document(
                b'{"name": "a/b", "tags": ["2", "1"]}', "application/json"
            ),
            "v2/untagged/tags/list": Document(b'{"name": "x", "tags": null}', "application/json"),
            "v2/a/b/manifests/1": Document(MANIFEST, OCI.manifest),
            f"v2/a/b/manifests/{OTHER}": Document(MANIFEST, OCI.manifest),
            f"v2/a/b/referrers/{DIGEST}": Document(REFERRERS, OCI.index),
            f"v2/a/b/blobs/{DIGEST}": Ranged(),
            "v2/bad/tags/list": Failing(),
        }
        return known.get(whole) or Missing()


class Failing(Resource):
    """A 500."""

    status = 500

    def render_GET(self, request: Request) -> bytes:
        request.setResponseCode(self.status)
        return b"{}"


class Missing(Failing):
    """A 404."""

    status = 404


@pytest_twisted.async_yield_fixture
async def backed(reactor: Any) -> AsyncIterator[BackedStore]:
    """A store on that registry."""
    port = reactor.listenTCP(0, Site(OpenRegistry()), interface="127.0.0.1")
    yield BackedStore(HTTPClient(Agent(reactor)), f"http://127.0.0.1:{port.getHost().port}")
    await port.stopListening()


@pytest_twisted.ensureDeferred
async def test_names_and_tags(backed: BackedStore) -> None:
    """Listings come sorted; a repository that is not there is None."""
    assert await backed.repositories() == ("a/b", "b")
    assert await backed.tags("a/b") == ("1", "2")
    assert await backed.tags("untagged") == ()
    assert await backed.tags("none") is None


@pytest_twisted.ensureDeferred
async def test_manifests(backed: BackedStore) -> None:
    """A manifest comes with its media type, or is None."""
    found = await backed.manifest("a/b", Tag("1"))
    assert found is not None
    assert (found.media_type, found.content) == (OCI.manifest, MANIFEST)
    assert await backed.manifest("a/b", Tag("none")) is None


@pytest_twisted.ensureDeferred
async def test_blobs_are_read_in_spans(backed: BackedStore) -> None:
    """A blob knows its size and gives any span of its bytes."""
    blob = await backed.blob("a/b", DIGEST)
    assert blob is not None
    assert blob.size == len(BLOB)
    assert await blob.read(10, 20) == BLOB[10:30]
    assert await backed.blob("a/b", OTHER) is None


@pytest_twisted.ensureDeferred
async def test_referrers(backed: BackedStore) -> None:
    """The manifests that the registry lists, or None where it lacks the API."""
    found = await backed.referrers("a/b", DIGEST)
    assert found is not None
    assert [manifest.content for manifest in found] == [MANIFEST]
    assert await backed.referrers("a/b", OTHER) is None


@pytest_twisted.ensureDeferred
async def test_broken_registry_is_told(backed: BackedStore) -> None:
    """An answer that nobody expects is an error that says so."""
    with pytest.raises(RuntimeError, match="answered 500"):
        await backed.tags("bad")
