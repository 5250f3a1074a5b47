"""Requests that another process of this mirror serves: passed on as they came, by a local socket.

The one that serves may die, and another takes its place. A request is asked again then, and of
blobs, whose bytes can't differ, the rest.
"""

from __future__ import annotations

import re
from typing import Any, Final, cast
from urllib.parse import quote

from httptools import HttpParserError, HttpResponseParser
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IPushProducer, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from zope.interface import Interface, implementer

from hubmirror.errors import RegistryError, Unavailable
from hubmirror.registry.callers import Caller
from hubmirror.registry.message import Message
from hubmirror.registry.request import MirrorRequest

__all__ = ["CALLER", "Relay", "RelayResource"]

#: Tells for whom a request is: the peer's address, this end's authority, the scheme, and, if it has
#: shown a certificate, percent-encoded its user.
CALLER: Final = b"hubmirror-caller"
#: Fields that speak of one connection alone (RFC 9110, section 7.6.1), or that are made anew.
_HOP_BY_HOP: Final = frozenset(
    (
        *(b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"te"),
        *(b"upgrade", b"trailer", b"proxy-connection", b"expect", CALLER),
    )
)
#: How long the other process may be away, and how long between two looks, in seconds.
PATIENCE: Final = 20.0
PAUSE: Final = 0.05
#: How many connections are kept when nothing goes over them.
KEPT: Final = 64

_CONTENT_RANGE: Final = re.compile(rb"bytes (\d{1,18})-(\d{1,18})/\d{1,18}")

_Fields = dict[bytes, list[bytes]]


class Relay:
    """The way to the other process, which listens at ``endpoint``."""

    def __init__(self, clock: IReactorTime, endpoint: IStreamClientEndpoint) -> None:
        self._clock = clock
        self._endpoint = endpoint
        self._idle: list[_Line] = []

    async def pass_on(self, request: MirrorRequest) -> None:
        """Let the other process serve ``request``, and log and count it.

        Cancelling ends it there, too.
        """
        request.is_relayed = True
        passing = _Passing(request)
        try:
            await self._persist(passing)
        except (_Lost, _OtherContent):
            if passing.has_begun:
                request.break_off()
            else:
                request.fail(_starting())
        else:
            request.finish()

    async def report(self, data: bytes) -> None:
        """Tell the other process ``data``; raises ``RegistryError`` where it does not hear."""
        reporting = _Reporting(data)
        try:
            await self._persist(reporting)
        except (_Lost, _OtherContent) as error:
            raise _starting() from error
        if reporting.status != 204:
            raise RegistryError(f"a report was answered with {reporting.status}")

    def close(self) -> None:
        """End the connections over which nothing goes."""
        for line in self._idle:
            line.abort()

    async def _persist(self, errand: _IErrand) -> None:
        """Until it is done, or the other process is away for too long."""
        until = None
        while True:
            try:
                line = await self._line()
                await line.run(errand)
            except _Lost as error:
                now = self._clock.seconds()
                if until is None or error.had_begun:
                    until = now + PATIENCE
                if now >= until or not errand.may_go_on():
                    raise
            else:
                self._keep(line)
                return
            await deferLater(self._clock, PAUSE)

    async def _line(self) -> _Line:
        while self._idle:
            line = self._idle.pop()
            if line.is_connected:
                return line
        try:
            connected = self._endpoint.connect(Factory.forProtocol(_Line))
            return cast(_Line, await connected)
        except CancelledError:
            raise
        except Exception as error:
            raise _Lost(str(error)) from error

    def _keep(self, line: _Line) -> None:
        if line.is_connected and len(self._idle) < KEPT:
            self._idle.append(line)
        else:
            line.abort()


class RelayResource(Resource):
    """Whatever is asked for here, another process serves."""

    isLeaf = True

    def __init__(self, relay: Relay) -> None:
        super().__init__()
        self._relay = relay

    def render(self, request: MirrorRequest) -> int:
        work = Deferred.fromCoroutine(self._relay.pass_on(request))
        request.notifyFinish().addErrback(lambda _: work.cancel())
        work.addErrback(_unless_cancelled, request)
        return NOT_DONE_YET


class _Lost(Exception):
    """The connection has ended before the answer has; ``had_begun``: its body had."""

    def __init__(self, why: str, *, had_begun: bool = False) -> None:
        super().__init__(why)
        self.had_begun = had_begun


class _OtherContent(Exception):
    """The rest of an answer is not that of the beginning."""


class _IErrand(Interface):
    """One request, and who takes its answer."""

    def head() -> bytes:
        """What is to be sent, body included."""

    def is_head() -> bool:
        """Whether the answer has no body, whatever it says."""

    def began(status: int, fields: _Fields, producer: IPushProducer) -> None:
        """The answer's head is there; ``producer`` brings its body."""

    def write(data: bytes) -> None:
        """Bytes of the body."""

    def ended() -> None:
        """The producer brings no more."""

    def may_go_on() -> bool:
        """Whether it may be asked again, for what is missing."""


@implementer(_IErrand)
class _Passing:
    """A client's request, and how much of its answer the client has."""

    def __init__(self, request: MirrorRequest) -> None:
        self.has_begun = False
        self._request = request
        self._message: Message = request.exchange.message
        self._etag: bytes | None = None
        self._first = self._last = -1
        self._sent = 0

    def head(self) -> bytes:
        message, caller = self._message, self._request.channel.caller
        # Not those that Connection names: both ends are one server, and a client must not be able
        # to have dropped what a proxy says of it.
        fields = {
            name: values for name, values in message.fields.items() if name not in _HOP_BY_HOP
        }
        fields.setdefault(b"host", [caller.local.encode("latin-1")])
        fields[CALLER] = [_written(caller)]
        if message.has_body:
            fields[b"content-length"] = [b"%d" % len(message.body)]
        if self.has_begun and self._etag is not None:
            fields[b"range"] = [b"bytes=%d-%d" % (self._first + self._sent, self._last)]
            fields[b"if-range"] = [self._etag]
        lines = [b"%b %b HTTP/1.1" % (message.method, message.target)]
        lines += [b"%b: %b" % (name, one) for name, values in fields.items() for one in values]
        return b"\r\n".join([*lines, b"", b""]) + message.body

    def is_head(self) -> bool:
        return self._message.method == b"HEAD"

    def began(self, status: int, fields: _Fields, producer: IPushProducer) -> None:
        if not self.has_begun:
            self._begin(status, fields)
        elif self._goes_on_at(status, fields) != self._first + self._sent:
            raise _OtherContent
        self._request.registerProducer(producer, True)

    def write(self, data: bytes) -> None:
        self._sent += len(data)
        self._request.write(data)

    def ended(self) -> None:
        self._request.unregisterProducer()

    def may_go_on(self) -> bool:
        """Anything may be asked again that nobody has an answer to; else the rest of a blob."""
        return not self.has_begun or (self._etag is not None and self._first >= 0)

    def _begin(self, status: int, fields: _Fields) -> None:
        self.has_begun = True
        request = self._request
        request.set_status(status)
        for name, values in fields.items():
            if name not in _HOP_BY_HOP or name == b"content-length":
                request.responseHeaders.setRawHeaders(name, values)
        request.write(b"")
        length = _number(fields)
        if self._message.method != b"GET" or length is None or b"accept-ranges" not in fields:
            return
        if status == 200:
            self._first, self._last = 0, length - 1
        elif status == 206:
            self._first, self._last = _range(fields)
        etag = fields.get(b"etag", [b""])[0]
        self._etag = etag if etag.startswith(b'"') else None

    def _goes_on_at(self, status: int, fields: _Fields) -> int:
        is_same = status == 206 and fields.get(b"etag") == [self._etag]
        return _range(fields)[0] if is_same else -1


@implementer(_IErrand)
class _Reporting:
    """A word from this process itself."""

    def __init__(self, data: bytes) -> None:
        self.status = 0
        self._data = data

    def head(self) -> bytes:
        length = len(self._data)
        return (
            b"POST /report HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % length + self._data
        )

    def is_head(self) -> bool:
        return False

    def began(self, status: int, fields: _Fields, producer: IPushProducer) -> None:  # noqa: ARG002
        self.status = status

    def write(self, data: bytes) -> None:
        """It says nothing."""

    def ended(self) -> None:
        """Nothing is held."""

    def may_go_on(self) -> bool:
        """Not again, for half of it might be counted twice."""
        return False


class _Line(Protocol):
    """One connection: a request at a time."""

    def __init__(self) -> None:
        self.is_connected = False
        self._errand: _IErrand | None = None
        self._parser: HttpResponseParser | None = None
        self._fields: _Fields = {}
        self._done: Deferred[None] | None = None
        self._has_head = self._has_body = self._is_whole = False

    def run(self, errand: _IErrand) -> Deferred[None]:
        """Fires when the whole answer has gone to ``errand``; fails with ``_Lost``."""
        self._errand, self._fields = errand, {}
        self._has_head = self._has_body = self._is_whole = False
        self._parser = HttpResponseParser(self)
        self._done = Deferred(lambda _: self.abort())
        cast(Any, self.transport).write(errand.head())
        return self._done

    def abort(self) -> None:
        """End the connection at once."""
        self.is_connected = False
        cast(Any, self.transport).abortConnection()

    # What the transport calls.

    def connectionMade(self) -> None:
        self.is_connected = True

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002
        self.is_connected = False
        lost = "the connection to the other process has ended"
        self._end(_Lost(lost, had_begun=self._has_body))

    def dataReceived(self, data: bytes) -> None:
        if self._parser is None:
            self.abort()  # nobody has asked
            return
        try:
            self._parser.feed_data(data)
        except (HttpParserError, _OtherContent):
            error = _OtherContent()
            self.abort()
            self._end(error)
            return
        if self._is_whole:
            self._end(None)

    # What the parser calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.setdefault(name.lower(), []).append(value)

    def on_headers_complete(self) -> None:
        errand, parser = self._errand, self._parser
        if errand is None or parser is None:
            return
        status = parser.get_status_code()
        self._has_head = True
        errand.began(status, self._fields, cast(IPushProducer, self.transport))
        self._is_whole = errand.is_head() or status in (204, 304)

    def on_body(self, data: bytes) -> None:
        self._has_body = True
        if self._errand is not None:
            self._errand.write(data)

    def on_message_complete(self) -> None:
        self._is_whole = True

    def _end(self, error: Exception | None) -> None:
        done, self._done = self._done, None
        errand, self._errand, self._parser = self._errand, None, None
        if errand is not None and self._has_head:
            errand.ended()
        if done is None or done.called:
            return
        if error is None:
            cast(Any, self.transport).resumeProducing()
            done.callback(None)
        else:
            done.errback(error)


def _starting() -> Unavailable:
    return Unavailable("the mirror is starting", headers={"Retry-After": "1"})


def _written(caller: Caller) -> bytes:
    scheme = "https" if caller.is_secure else "http"
    user = "" if caller.user is None else f" {quote(caller.user, safe='')}"
    return f"{caller.peer} {caller.local} {scheme}{user}".encode("latin-1")


def _number(fields: _Fields) -> int | None:
    values = fields.get(b"content-length")
    return int(values[0]) if values else None


def _range(fields: _Fields) -> tuple[int, int]:
    """The first and the last byte that are told, or (-1, -1)."""
    match = _CONTENT_RANGE.fullmatch(fields.get(b"content-range", [b""])[0])
    return (-1, -1) if match is None else (int(match[1]), int(match[2]))


def _unless_cancelled(failure: Failure, request: MirrorRequest) -> None:
    if failure.check(CancelledError) is None:
        request.processingFailed(failure)
