"""Upstream servers in memory: what each URL answers, and what was asked of it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from attrs import field, frozen
from treq.testing import RequestTraversalAgent
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import Request

from hubmirror.question import Headers
from hubmirror.upstream.client import TimeLimits, UpstreamClient, http_client
from hubmirror.upstream.pacing import Pacing

__all__ = ["Asked", "Remote", "Served", "error_of", "result_of"]

T = TypeVar("T")
E = TypeVar("E", bound=Exception)


@frozen
class Served:
    """An answer; to a HEAD with the length, but not the bytes, of ``body``."""

    status: int
    headers: Headers = ()
    body: bytes = b""


@frozen
class Asked:
    """A request as it came."""

    method: str
    url: str
    headers: dict[str, list[str]] = field(repr=False)

    def header(self, name: str) -> list[str]:
        return self.headers.get(name.lower(), [])


class Remote(Resource):
    """All servers of a test; ``answers`` maps ``METHOD URL``, or ``URL`` alone, to an answer."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, Served] = {}
        self.asked: list[Asked] = []
        clock = Clock()
        self.clock = clock
        agent = RequestTraversalAgent(self)
        self.client = UpstreamClient(
            http_client(agent), clock, TimeLimits(response=30, stall=30), Pacing(clock)
        )

    def render(self, request: Request) -> bytes:
        scheme = "https" if request.isSecure() else "http"
        host = request.requestHeaders.getRawHeaders("host", [""])[0]
        asked = Asked(
            request.method.decode(),
            f"{scheme}://{host}{request.uri.decode()}",
            {
                name.decode().lower(): [value.decode() for value in values]
                for name, values in request.requestHeaders.getAllRawHeaders()
            },
        )
        self.asked.append(asked)
        missing = Served(404, body=b"missing")
        answer = self.answers.get(
            f"{asked.method} {asked.url}", self.answers.get(asked.url, missing)
        )
        request.setResponseCode(answer.status)
        for name, value in answer.headers:
            request.responseHeaders.addRawHeader(name, value)
        request.setHeader("Content-Length", str(len(answer.body)))
        return b"" if asked.method == "HEAD" else answer.body

    def urls(self) -> list[str]:
        """What was asked, in order."""
        return [asked.url for asked in self.asked]


def result_of(coroutine: Coroutine[Deferred[Any], Any, T]) -> T:
    """What ``coroutine`` gives, or raises, without waiting."""
    results: list[T | Failure] = []
    Deferred.fromCoroutine(coroutine).addBoth(results.append)
    assert results, "it still waits"
    result = results[0]
    if isinstance(result, Failure):
        result.raiseException()
    return result


def error_of(deferred: Deferred[Any], expected: type[E]) -> E:
    """The error of type ``expected`` with which ``deferred`` has failed."""
    results: list[object] = []
    deferred.addBoth(results.append)
    assert results, "it still waits"
    assert isinstance(results[0], Failure), results[0]
    assert isinstance(results[0].value, expected), results[0]
    return results[0].value
