"""Blobs on their way, and whose they are."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed

from hubmirror.mirror import arrivals
from hubmirror.mirror.arrivals import Arrivals
from hubmirror.naming import Digest, Repository

ONE, OTHER = Repository("docker.io", "a/one"), Repository("docker.io", "a/other")
DIGEST = Digest("sha256", "0" * 64)


class Index:
    """Notes what is put."""

    def __init__(self) -> None:
        self.put: list[Any] = []

    def put_blob(self, row: Any) -> Deferred[None]:
        self.put.append(row)
        return succeed(None)

    put_link = put_blob


def test_a_kept_blob_is_linked_to_those_whose_upstream_gave_it() -> None:
    """And to nobody else."""
    index: Any = Index()
    found = Arrivals(index, lambda: 5.0)
    found.expect(DIGEST)
    assert found.is_expected(DIGEST)
    assert not found.is_given(DIGEST, ONE)
    found.expect(DIGEST, ONE)
    assert found.is_given(DIGEST, ONE)
    assert not found.is_given(DIGEST, OTHER)
    assert found.repositories(DIGEST) == {ONE}
    Deferred.fromCoroutine(found.committed(DIGEST, 7))
    row, link = index.put
    assert (row.digest, row.size, row.accessed) == (DIGEST, 7, 5.0)
    assert (link.repository, link.digest) == (ONE, DIGEST)
    assert not found.is_expected(DIGEST)
    assert found.repositories(DIGEST) == frozenset()


def test_those_that_never_came_are_forgotten(monkeypatch: Any) -> None:
    """Failed fetches fill no memory."""
    monkeypatch.setattr(arrivals, "MANY", 1)
    index: Any = Index()
    found = Arrivals(index, lambda: 5.0)
    lost = Digest("sha256", "1" * 64)
    found.expect(DIGEST)
    found.expect(lost)
    found.forget_all_but([DIGEST])
    assert (found.is_expected(DIGEST), found.is_expected(lost)) == (True, False)


def test_what_is_just_being_kept_is_in_use() -> None:
    """From before its file is there until its row is; it is no blob on its way, though."""
    index: Any = Index()
    found = Arrivals(index, lambda: 5.0)
    with found.keeping(DIGEST), found.keeping(DIGEST):
        assert found.is_in_use(DIGEST)
        assert not found.is_expected(DIGEST)
    assert not found.is_in_use(DIGEST)
    found.expect(DIGEST)
    assert found.is_in_use(DIGEST)
