"""What all monitoring endpoints share."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.web.resource import Resource
from twisted.web.server import Request

from hubmirror.monitor.access import View
from hubmirror.monitor.guarded import GuardedPages, OpenPage
from tests.monitor.watching import Watched

STRANGER = "203.0.113.9"
PATHS = ["/quota", "/quota/history", "/quota/stream", "/pages"]
OPEN = "/open"


class Page(Resource):
    """A text."""

    isLeaf = True

    def __init__(self, text: bytes) -> None:
        super().__init__()
        self._text = text

    def render_GET(self, _request: Request) -> bytes:
        return self._text


def watched(**settings: Any) -> Watched:
    """With two pages, one for each view."""
    found = Watched(**settings)
    pages: dict[View, Resource] = {
        View.ALL: Page(b"names"),
        View.NUMBERS: Page(b"numbers"),
    }
    root: Any = found.site.resource
    root.putChild(b"pages", GuardedPages(found.access, pages))
    root.putChild(b"open", OpenPage(Page(b"for all")))
    return found


@pytest.mark.parametrize("path", PATHS)
def test_strangers_are_refused(path: str) -> None:
    """Everywhere, by one rule."""
    assert watched().ask(path, peer=STRANGER).status() == 403
    assert watched().ask(path).status() == 200


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("peer", ["127.0.0.1", STRANGER])
def test_no_other_page_reads_it(path: str, peer: str) -> None:
    """Neither what is told nor why it is not; nor does a cache keep it."""
    head = watched().ask(path, "Origin: https://evil.example", peer=peer).head()
    assert "Access-Control" not in head
    assert "Cross-Origin-Resource-Policy: same-origin" in head
    assert "Cache-Control: no-store" in head


@pytest.mark.parametrize("path", [*PATHS, OPEN])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "TRACE"])
def test_only_reading(path: str, method: str) -> None:
    """405 says what there is."""
    wire = watched().ask(path, "Content-Length: 0", method=method)
    assert wire.status() == 405
    assert "Allow: GET, HEAD\r\n" in wire.head() + "\r\n"
    assert wire.error()["code"] == "UNSUPPORTED"


@pytest.mark.parametrize("path", [*PATHS, OPEN])
def test_head_is_get_without_the_body(path: str) -> None:
    """And ends at once, a stream's too."""
    wire = watched().ask(path, "Connection: close", method="HEAD")
    assert wire.status() == 200
    assert wire.body() == b""
    assert wire.hung_up


@pytest.mark.parametrize("path", ["/quota/", "/quota/other", "/quota/history/x", "/quota/stream/"])
def test_other_paths_are_missing(path: str) -> None:
    """In JSON, with a hint."""
    wire = watched().ask(path)
    assert wire.status() == 404
    assert "/openapi.json" in wire.error()["message"]


def test_a_page_for_each_view() -> None:
    """Any resource can be put behind the guard."""
    found = watched(is_public=True)
    assert found.ask("/pages").body() == b"names"
    assert found.ask("/pages", peer=STRANGER).body() == b"numbers"


def test_a_page_for_all() -> None:
    """Strangers and other sites' pages may read it."""
    wire = watched().ask(OPEN, "Sec-Fetch-Site: cross-site", peer=STRANGER)
    assert wire.body() == b"for all"
    assert "Access-Control-Allow-Origin: *" in wire.head()
