"""``/v1/search``, and ``/v1/_ping``, behind which docker asks for it; no more of that API."""

from __future__ import annotations

from typing import Final

from twisted.web.resource import Resource
from twisted.web.server import Request

from hubmirror.errors import BadRequest, NotFound, Unsupported
from hubmirror.question import Headers, SearchRequest
from hubmirror.registry.api import Endpoint
from hubmirror.registry.message import Message, query_of, segments_of

__all__ = ["V1", "Search"]

#: The longest term, in characters, and how many images may be asked for: docker's own figures.
MAX_TERM: Final = 255
MOST: Final = 100
USUAL: Final = 25


class Search(Endpoint):
    """``/v1/search?q=TERM&n=COUNT``."""

    def subject(self, message: Message, home: str) -> SearchRequest:  # noqa: ARG002
        """Raises ``NotFound`` for another path, ``BadRequest``, ``Unsupported``."""
        if segments_of(message.target)[1:] != [b"search"]:
            raise NotFound()
        if message.method not in (b"GET", b"HEAD"):
            raise Unsupported("a search is a GET", headers={"Allow": "GET, HEAD, OPTIONS"})
        query = query_of(message.target)
        term = (_parameter(query, "q") or "").strip()
        if not 0 < len(term) <= MAX_TERM:
            raise BadRequest(f"q is what to search for, of {MAX_TERM} characters at most")
        return SearchRequest(term, _count(_parameter(query, "n")))


class V1(Resource):
    """``/v1/``; whatever else is asked for there, ``search`` has no such path."""

    def __init__(self, search: Search) -> None:
        super().__init__()
        self._search = search
        self.putChild(b"_ping", _Pong())

    def getChild(self, _path: bytes, _request: Request) -> Search:
        return self._search


class _Pong(Resource):
    """Whether there is a registry of the first version: as far as a search needs one."""

    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        request.setHeader("Content-Type", "application/json")
        return b"{}"


def _parameter(query: Headers, name: str) -> str | None:
    return next((value for key, value in query if key == name), None)


def _count(text: str | None) -> int:
    if not text:
        return USUAL
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise BadRequest("n is how many images to find")
    return min(max(int(text), 1), MOST)
