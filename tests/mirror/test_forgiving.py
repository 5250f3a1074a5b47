"""A disk that takes nothing more, under a mirror that goes on."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed

from hubmirror.cache.errors import StoreFull
from hubmirror.mirror.forgiving import ForgivingIndex
from tests.mirror.hub import ACCEPT, Hub, digest_of
from tests.registry.edge import Edge


class FullIndex:
    """Takes nothing, knows nothing."""

    def put_blob(self, _row: object) -> Deferred[None]:
        return fail(StoreFull("the disk is full"))

    def link(self, *_: object) -> Deferred[None]:
        return succeed(None)


def test_what_can_not_be_put_is_not_learned() -> None:
    """And nobody fails for it; reading goes through."""
    index: Any = ForgivingIndex(FullIndex())
    results: list[object] = []
    index.put_blob(None).addBoth(results.append)
    index.link(None, None).addBoth(results.append)
    assert results == [None, None]


def test_a_defect_is_still_one() -> None:
    """Only the disk is forgiven."""

    class Broken:
        def put_blob(self, _row: object) -> Deferred[None]:
            return fail(ZeroDivisionError())

    results: list[Any] = []
    index: Any = ForgivingIndex(Broken())
    index.put_blob(None).addErrback(lambda failure: results.append(failure.type))
    assert results == [ZeroDivisionError]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_all_is_served_on_a_full_disk(method: str, monkeypatch: Any) -> None:
    """Manifests, tags and blobs of a repository of which nothing is kept yet."""
    hub = Hub(Edge(prefetch="off"))
    hub.put_image("library/hello", "latest", b"layer")
    index, blobs = hub.edge.storage.index, hub.edge.storage.blobs
    for name in ("put_tag", "put_link", "put_publicity", "put_listing", "put_blob"):
        monkeypatch.setattr(index, name, lambda *_: fail(StoreFull("the disk is full")))
    monkeypatch.setattr(blobs, "put", lambda *_: fail(StoreFull("the disk is full")))
    alice = hub.token("alice", "library/hello")
    base = "/v2/library/hello"
    for path in ("manifests/latest", "tags/list", f"blobs/{digest_of(b'layer')}"):
        assert hub.get(f"{base}/{path}", alice, ACCEPT, method=method).status() == 200
