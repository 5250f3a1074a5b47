"""Answers that are not there at once."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.web.resource import Resource

from hubmirror.monitor.later import answer_later
from tests.conftest import LoggedFailures
from tests.registry.edge import Edge, hang_up


class Later(Resource):
    """Answers with what comes."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.is_cancelled = False
        self.body: Deferred[bytes] = Deferred(self._cancelled)

    def _cancelled(self, _: Deferred[bytes]) -> None:
        self.is_cancelled = True

    def render_GET(self, request: Any) -> int:
        return answer_later(request, self._answer())

    async def _answer(self) -> bytes:
        return await self.body


def test_the_body_comes_later() -> None:
    """With its length; the connection stays."""
    page = Later()
    wire = Edge(pages={b"later": page}).get("/later")
    assert wire.value() == b""
    page.body.callback(b"hello")
    assert wire.status() == 200
    assert "Content-Length: 5" in wire.head()
    assert wire.body() == b"hello"
    assert not wire.hung_up


def test_head() -> None:
    """The length, and no body."""
    page = Later()
    wire = Edge(pages={b"later": page}).get("/later", method="HEAD")
    page.body.callback(b"hello")
    assert "Content-Length: 5" in wire.head()
    assert wire.body() == b""


def test_a_client_that_leaves() -> None:
    """The work ends, and nothing is written or told."""
    page = Later()
    edge = Edge(pages={b"later": page})
    protocol, wire = edge.connect()
    protocol.dataReceived(b"GET /later HTTP/1.1\r\nHost: a\r\n\r\n")
    hang_up(protocol)
    assert page.is_cancelled
    assert wire.value() == b""


def test_a_defect(logged_failures: LoggedFailures) -> None:
    """A plain 500; the stack is in the log alone."""
    page = Later()
    wire = Edge(pages={b"later": page}).get("/later")
    page.body.errback(ValueError("a secret path"))
    assert wire.status() == 500
    assert b"secret" not in wire.value()
    assert len(logged_failures.take(ValueError)) == 1
