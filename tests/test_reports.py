"""What a worker tells the keeper: written there, understood here."""

from __future__ import annotations

import json
from collections.abc import Iterable
from io import BytesIO
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.web.test.requesthelper import DummyRequest

from hubmirror.naming import Digest
from hubmirror.quota.accounts import Dimension
from hubmirror.quota.books import MemoryBooks
from hubmirror.quota.history import MemoryHistory
from hubmirror.quota.ledger import MemoryLedger
from hubmirror.quota.quota import Quota, Spending
from hubmirror.quota.rules import Rules
from hubmirror.reports import Reports, written

ONE, TWO = Digest("sha256", "a" * 64), Digest("sha512", "b" * 128)
NOON = 20454.5 * 86400


class Scene:
    """Where reports come in, and what has come."""

    def __init__(self) -> None:
        books = MemoryBooks()
        self.quota = Quota(Rules(), MemoryLedger(), MemoryHistory(), books, lambda: NOON)
        self.touched: list[tuple[list[Digest], float]] = []
        self.reports = Reports(self.quota, self._touch)

    def post(self, data: bytes) -> int | None:
        """The status with which it is answered."""
        request: Any = DummyRequest([b""])
        request.method, request.content = b"POST", BytesIO(data)
        assert self.reports.render(request) == b""
        code: int | None = request.responseCode
        return code

    def _touch(self, digests: Iterable[Digest], when: float) -> Deferred[None]:
        self.touched.append((list(digests), when))
        return succeed(None)


@pytest.fixture
def scene() -> Scene:
    """Nothing has come yet."""
    return Scene()


def test_what_was_spent_comes_into_the_accounts(scene: Scene) -> None:
    """By address, user and repository, whatever is known of them; the count is not this one's."""
    spendings = [
        Spending("192.0.2.1", None, "library/busybox", 2, 10, 100),
        Spending("192.0.2.1", "älice", "library/busybox", 1, 1, 50),
        Spending("2001:db8::/64", None, None, 4, 0, 0),
    ]
    assert scene.post(written(spendings, {})) == 204
    addresses = {one.name: one for one in scene.quota.top(Dimension.ADDRESS, 10)}
    assert addresses["192.0.2.1"].requests == 3
    assert addresses["192.0.2.1"].bytes_in == 11
    assert addresses["192.0.2.1"].bytes_out == 150
    assert addresses["2001:db8::/64"].requests == 4
    assert [one.name for one in scene.quota.top(Dimension.USER, 10)] == ["älice"]
    (repository,) = scene.quota.top(Dimension.REPOSITORY, 10)
    assert (repository.name, repository.requests) == ("library/busybox", 3)
    assert scene.quota.day().used == 0
    assert scene.touched == []


def test_what_was_asked_for_is_touched(scene: Scene) -> None:
    """Each at its own time, to the fraction of a second."""
    assert scene.post(written([], {ONE: 1_790_000_000.25, TWO: 5.0})) == 204
    assert scene.touched == [([ONE], 1_790_000_000.25), ([TWO], 5.0)]


def test_nothing_is_a_report_too(scene: Scene) -> None:
    """It changes nothing."""
    assert scene.post(written([], {})) == 204
    assert scene.touched == []
    assert scene.quota.top(Dimension.ADDRESS, 10) == []


def test_is_json(scene: Scene) -> None:
    """In ASCII, whatever a name is."""
    data = written([Spending("a", "\udcff", "r", 1, 2, 3)], {ONE: 1.0})
    assert json.loads(data.decode("ascii")) == {
        "spent": [["a", "\udcff", "r", 1, 2, 3]],
        "touched": {str(ONE): 1.0},
    }
    assert scene.post(data) == 204
