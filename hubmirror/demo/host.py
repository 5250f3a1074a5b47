"""What the three hosts of the Hub share: a request log, faults, and resources that may wait."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from attrs import define, evolve, field, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from hubmirror.demo.faults import Faults
from hubmirror.errors import NotFound, RegistryError, Unsupported

__all__ = ["Host", "HostResource", "Received", "request_field", "set_fields", "site"]

_log = Logger()


@frozen
class Received:
    """One request as a host saw it. ``status`` is None until the answer begins.

    ``path`` has no query: there signatures and accounts go.
    """

    host: str
    method: str
    path: str
    has_authorization: bool
    user_agent: str | None
    status: int | None = None


@define
class Host:
    """One host: ``role`` is ``registry``, ``tokens`` or ``blobs``."""

    role: str
    clock: IReactorTime
    requests: list[Received]
    faults: Faults = field(factory=Faults)
    #: Bytes of bodies that were written towards clients.
    bytes_sent: int = 0


class HostResource(Resource):
    """A resource whose answer may wait. A subclass says ``answer``; faults come before it."""

    isLeaf = True
    methods: tuple[bytes, ...] = (b"GET", b"HEAD")

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.host = host

    async def answer(self, _request: Request) -> None:
        """Write the answer, up to but without ``finish``; may raise ``RegistryError``."""
        raise NotFound

    def render(self, request: Request) -> int:
        """Begin to answer. When the client goes away, the work for it ends."""
        answer = Deferred.fromCoroutine(self._answer(request))
        request.notifyFinish().addErrback(lambda _gone: answer.cancel())
        answer.addErrback(_write_error, request)
        answer.addCallback(lambda _written: request.finish())
        answer.addErrback(_end, request)
        return NOT_DONE_YET

    async def _answer(self, request: Request) -> None:
        faults = self.host.faults
        if faults.delay:
            await deferLater(self.host.clock, faults.delay)
        canned = faults.take(request.path.decode("latin-1"))
        if canned is not None:
            request.setResponseCode(canned.status)
            set_fields(request, canned.headers)
            request.setHeader("Content-Length", str(len(canned.body)))
            request.write(canned.body)
        elif request.method not in self.methods:
            raise Unsupported
        else:
            await self.answer(request)


class _LoggedRequest(Request):
    """A request that enters its host's log when it comes and when its answer begins."""

    def __init__(self, host: Host, channel: HTTPChannel, *args: Any, **kwargs: Any) -> None:
        super().__init__(channel, *args, **kwargs)
        self._host = host
        self._log_index = -1

    def process(self) -> None:
        received = Received(
            host=self._host.role,
            method=self.method.decode("latin-1"),
            path=self.path.decode("latin-1"),
            has_authorization=self.requestHeaders.hasHeader(b"Authorization"),
            user_agent=request_field(self, "User-Agent"),
        )
        self._log_index = len(self._host.requests)
        self._host.requests.append(received)
        super().process()

    def write(self, data: bytes) -> None:
        if not self.startedWriting and 0 <= self._log_index < len(self._host.requests):
            received = self._host.requests[self._log_index]
            self._host.requests[self._log_index] = evolve(received, status=self.code)
        super().write(data)


def site(host: Host, root: Resource) -> Site:
    """The factory that serves ``root`` and logs requests for ``host``."""

    def logged_request(*args: Any, **kwargs: Any) -> Request:
        return _LoggedRequest(host, *args, **kwargs)

    return Site(root, requestFactory=logged_request, reactor=host.clock)


def request_field(request: Request, name: str) -> str | None:
    """The first request header called ``name``."""
    values = request.requestHeaders.getRawHeaders(name)
    return values[0] if values else None


def set_fields(request: Request, fields: Iterable[tuple[str, str]]) -> None:
    """Add response headers."""
    for name, value in fields:
        request.responseHeaders.addRawHeader(name, value)


def _write_error(failure: Failure, request: Request) -> None:
    """Write a ``RegistryError`` as the spec's JSON; anything else goes on as it is."""
    error = failure.value
    if not isinstance(error, RegistryError):
        failure.raiseException()
    entry = {"code": error.code, "message": error.message, "detail": error.detail}
    body = json.dumps({"errors": [entry]}).encode()
    request.setResponseCode(error.status)
    set_fields(request, [("Content-Type", "application/json"), *error.headers.items()])
    set_fields(request, [("Content-Length", str(len(body)))])
    request.write(body)


def _end(failure: Failure, request: Request) -> None:
    if not failure.check(CancelledError):
        _log.failure("the Hub failed to answer", failure)
        request.loseConnection()
