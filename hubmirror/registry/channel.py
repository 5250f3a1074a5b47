"""The server's side of one HTTP/1.1 connection: one request at a time, and times of its own.

``parsing`` decides what a request is, ``strictness`` which of them are taken; this adds what
RFC 9112 leaves to a server's care (sections 9.3 to 9.6: persistence, pipelining, closing).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Final, cast

from attrs import frozen
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import (
    IDelayedCall,
    IProducer,
    IPushProducer,
    ISSLTransport,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from zope.interface import implementer

from hubmirror.errors import BadRequest, RegistryError, Unavailable
from hubmirror.registry.callers import Caller
from hubmirror.registry.deadlines import Queue
from hubmirror.registry.message import Exchange, Message
from hubmirror.registry.parsing import RequestParser
from hubmirror.registry.quick import Response
from hubmirror.registry.redirecting import REDIRECT, redirection
from hubmirror.registry.request import MirrorRequest
from hubmirror.registry.responses import raw_response
from hubmirror.registry.sending import send_now
from hubmirror.registry.shedding import overloaded_response
from hubmirror.registry.strictness import check_head
from hubmirror.transport.kernel import KernelSocket
from hubmirror.transport.tls import file_socket

if TYPE_CHECKING:
    from hubmirror.registry.site import MirrorSite

__all__ = ["LAST_CALL", "Limits", "MirrorChannel"]

#: How much is read ahead of the request at hand, so that a client's leaving is noticed, in bytes.
MAX_AHEAD: Final = 16 * 1024
#: The most bytes of one send: a chunk as the upstream's connection reads it.
LARGEST_SEND: Final = 256 * 1024
#: How long a connection without a request is kept once the mirror is ending, in seconds.
LAST_CALL: Final = 1.0
#: How long a refused client may take to read why, in seconds.
LINGER: Final = 2.0
#: After so long without a request, in seconds, a connection gives back what it needs for one.
REST: Final = 2.0
#: How many requests of one connection are served before those of others have their turn.
AT_ONCE: Final = 16
#: The first byte of a TLS handshake record (RFC 8446, section 5.1).
TLS_HANDSHAKE: Final = b"\x16"


@frozen
class Limits:
    """What one client may take. Times are in seconds."""

    header_timeout: float = 10.0
    idle_timeout: float = 75.0
    send_timeout: float = 300.0
    max_connections: int = 4096
    max_connections_per_client: int = 256


class RequestTimeout(RegistryError):
    """A request that was not whole in time."""

    status = 408
    code = "UNSUPPORTED"
    default_message = "the request took too long to arrive"


@implementer(IPushProducer)
class MirrorChannel(Protocol):
    """One client's connection; to its ``MirrorRequest`` what Twisted's ``HTTPChannel`` would be.

    Within ``header_timeout`` of its start (for a kept connection: of its first byte) a request
    must be whole, however its bytes drip in; between requests ``idle_timeout`` holds. To its
    transport the channel is the producer, for as long as the connection lasts.
    """

    #: Whether what is asked here may be refused, where there is more to do than can be done.
    is_refusable = True

    def __init__(self, site: MirrorSite) -> None:
        self.site = site
        self._limits = site.limits
        self._parser: RequestParser | None = None
        self._request: MirrorRequest | None = None
        self._producer: IPushProducer | None = None
        self._caller: Caller | None = None
        self._deadline: Queue[MirrorChannel] | None = None
        self._is_idle = False
        self._stalled: Queue[MirrorChannel] | None = None
        self._turn: IDelayedCall | None = None
        self._has_heard = False
        self._is_last = False
        self._is_dismissed = False
        self._is_over = False
        self._is_closing = False
        self._is_serving = False
        self._is_stuffed = False
        self._is_deaf = False

    # What the transport calls.

    def connectionMade(self) -> None:
        transport = self._tcp()
        transport.SEND_LIMIT = LARGEST_SEND
        transport.setTcpNoDelay(True)
        transport.registerProducer(self, True)
        self._caller = Caller(
            str(transport.getPeer().host),
            _authority(transport.getHost()),
            is_secure=ISSLTransport.providedBy(transport),
            find_user=self._certified_user,
        )
        self.site.connected(self)
        self._within(self._limits.header_timeout, MirrorChannel._too_slow)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._is_over = True
        self._end_deadline()
        self._end_stall()
        self._end_turn()
        self._queue(REST, MirrorChannel._rest).end(self)
        self._forget_parser()
        self.site.disconnected(self)
        if self._request is not None:
            self._request.connectionLost(reason)

    def dataReceived(self, data: bytes) -> None:
        if self._is_over:
            return
        if not self._has_heard:
            self._has_heard = True
            if data.startswith(TLS_HANDSHAKE) and not self.isSecure():
                # docker, podman and skopeo try TLS first: tell them at once.
                self.forceAbortClient()
                return
        if self._parser is None:
            self._parser = RequestParser(self._accept)
        self._parser.feed(data)
        self._serve()

    def pauseProducing(self) -> None:
        """The client does not take what was sent (``IPushProducer``)."""
        self._is_stuffed = True
        if self._stalled is None:
            self._stalled = self._queue(self._limits.send_timeout, MirrorChannel._takes_nothing)
            self._stalled.begin(self)
        if self._producer is not None:
            self._producer.pauseProducing()

    def resumeProducing(self) -> None:
        """The client has taken it (``IPushProducer``)."""
        self._is_stuffed = False
        self._end_stall()
        if self._producer is not None:
            self._producer.resumeProducing()
        self._serve()

    def stopProducing(self) -> None:
        """The connection is about to be lost (``IProducer``)."""
        if self._producer is not None:
            self._producer.stopProducing()

    # What the request calls, as it would call Twisted's HTTPChannel.

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Headers) -> None:
        lines = [b"%b %b %b" % (version, code, reason)]
        for name, values in headers.getAllRawHeaders():
            lines.extend(b"%b: %b" % (name, value) for value in values)
        self._tcp().write(b"\r\n".join([*lines, b"", b""]))

    def write(self, data: bytes) -> None:
        self._tcp().write(data)

    def writeSequence(self, data: list[bytes]) -> None:
        self._tcp().write(b"".join(data))

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Raises ``RuntimeError`` where there is one, or it has to be pulled: none here has."""
        if self._producer is not None or not streaming:
            raise RuntimeError(f"{producer!r} can't be registered")
        self._producer = cast(IPushProducer, producer)

    def unregisterProducer(self) -> None:
        self._producer = None

    def requestDone(self, request: MirrorRequest) -> None:  # noqa: ARG002
        """The response has been written; the next request is looked at."""
        self._request = None
        self._go_on()
        self._serve()

    def isSecure(self) -> bool:
        return self.caller.is_secure

    def getPeer(self) -> Any:
        return self._tcp().getPeer()

    def getHost(self) -> Any:
        return self._tcp().getHost()

    def loseConnection(self) -> None:
        """End the connection when all that was written has left; read no more."""
        if self._is_closing:
            return
        self._is_over = self._is_closing = True
        self._end_stall()
        transport = self._tcp()
        transport.unregisterProducer()
        transport.loseConnection()
        self._within(self._limits.send_timeout, MirrorChannel.forceAbortClient)

    def forceAbortClient(self) -> None:
        """End the connection now."""
        self._is_over = True
        self._tcp().abortConnection()

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.refuse(BadRequest())

    # What the rest of the mirror asks.

    @property
    def is_busy(self) -> bool:
        """Whether a request is being answered, or is about to be."""
        return self._request is not None or self._turn is not None

    @property
    def caller(self) -> Caller:
        """The connection's other end."""
        if self._caller is None:
            raise RuntimeError("the connection has not begun")
        return self._caller

    def peer_host(self) -> str:
        """The address of the connection's other end."""
        return self.caller.peer

    def kernel_socket(self) -> KernelSocket | None:
        """Where a file's bytes may go past the transport's buffer; None without a socket."""
        return file_socket(self.transport)

    def came_by(self, ports: Collection[object]) -> bool:
        """Whether one of ``ports`` has accepted this connection."""
        return getattr(self.transport, "server", None) in ports

    def last_call(self) -> None:
        """The mirror or its listener ends: one more request is answered, if it comes soon."""
        self._is_dismissed = True
        if not self._is_over:
            self._watch()

    def refuse(self, error: RegistryError) -> None:
        """Answer what is no request that we serve, read no more of it, and hang up."""
        self._is_over = True
        self.site.log_refusal(self.peer_host(), error)
        transport = self._tcp()
        transport.write(raw_response(error))
        # Closing with bytes unread would reset the connection before the client has read
        # the answer: half-close and give it a moment.
        if self.isSecure():
            self.loseConnection()
        else:
            transport.loseWriteConnection()
        self._within(LINGER, MirrorChannel.forceAbortClient)

    def _certified_user(self) -> str | None:
        """Whose certificate the client has shown, in the handshake that is over by now."""
        find = self.site.frontage.certificate_user
        if find is None or not self.isSecure():
            return None
        certificate = cast(Any, self.transport).getPeerCertificate()
        return None if certificate is None else find(certificate)

    def _serve(self) -> None:
        """Serve what has come: one request at a time, and none while nobody takes answers."""
        if self._is_serving:
            return
        self._is_serving = True
        try:
            self._serve_some()
        except RegistryError as error:
            self.refuse(error)
        finally:
            self._is_serving = False
        if not self._is_over:
            self._listen()
            self._watch()

    def _serve_some(self) -> None:
        for _ in range(AT_ONCE):
            if self._parser is None or self._is_over or self._is_stuffed or self.is_busy:
                return
            message = self._parser.take()
            if message is None:
                return
            self._begin(message)
        if self._waiting and not self._is_over:
            self._turn = self.site.reactor.callLater(0, self._next_turn)

    def _next_turn(self) -> None:
        self._turn = None
        self._serve()

    def _begin(self, message: Message) -> None:
        self._is_last = (
            self._is_dismissed
            or self.site.is_draining
            or not message.is_persistent
            or message.version == b"HTTP/1.0"
        )
        frontage = self.site.frontage
        client = self.caller.client(
            message, frontage.trusted_proxies, frontage.public_url, frontage.registry_hosts
        )
        exchange = Exchange(message, client, self.site.reactor.seconds())
        if frontage.redirect is not None:
            location = frontage.redirect.location(message, self.caller, frontage.trusted_proxies)
            if location is not None:
                self._send_away(exchange, location)
                return
        quick, api = self.site.quick, self.site.api
        is_refusable = api is not None and self.is_refusable
        if is_refusable and self.site.shedding.refuses(message.target):
            self._shed(exchange)
            return
        begun = None if api is None else quick.begin(api, exchange)
        response = quick.response(begun, exchange, is_last=self._is_last)
        if response is not None:
            self._respond(exchange, response)
            return
        self._request = MirrorRequest(self)
        if self._is_last:
            self._request.setHeader("Connection", "close")
        self._request.serve(exchange, begun)

    def _send_away(self, exchange: Exchange, location: str) -> None:
        """It should have come over TLS."""
        send_now(self.transport, redirection(location, is_last=self._is_last))
        line = exchange.line(status=REDIRECT, sent=0, seconds=0.0, upstream=None)
        self.site.log_request(line)
        self._go_on()

    def _shed(self, exchange: Exchange) -> None:
        """Refuse what there is no time for, before anything is done for it."""
        data, sent = overloaded_response(exchange.message, is_last=self._is_last)
        send_now(self.transport, data)
        line = exchange.line(status=Unavailable.status, sent=sent, seconds=0.0, upstream=None)
        self.site.log_request({**line, "why": "overload"})
        self._go_on()

    def _respond(self, exchange: Exchange, response: Response) -> None:
        send_now(self.transport, response.data)
        answer, seconds = response.answer, self.site.reactor.seconds() - exchange.began
        response.begun.ended(exchange.message.size, response.sent, seconds)
        line = exchange.line(
            status=answer.status,
            sent=response.sent,
            seconds=seconds,
            upstream=answer.upstream_seconds,
        )
        self.site.log_request(line)
        self._go_on()

    def _go_on(self) -> None:
        """A response has been written: this was the connection's last, or it is kept.

        Who was not told that it is the last may just be asking again: see ``last_call``.
        """
        if self._is_last:
            self.loseConnection()

    def _accept(self, message: Message) -> None:
        """Refuse a head, or ask for its body (RFC 9110, section 10.1.1)."""
        check_head(message, self._is_own)
        expects = message.fields.get(b"expect", [b""])[0].lower() == b"100-continue"
        if expects and message.has_body and message.version == b"HTTP/1.1":
            self._tcp().write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _is_own(self, authority: str) -> bool:
        return self.site.is_own_authority(authority, self.caller.local)

    @property
    def _is_waiting(self) -> bool:
        """Whether what comes now has to wait."""
        return self.is_busy or self._is_stuffed

    @property
    def _waiting(self) -> int:
        """How many bytes wait."""
        return 0 if self._parser is None else self._parser.waiting

    def _listen(self) -> None:
        """Read on, unless too much waits already."""
        is_deaf = self._is_waiting and self._waiting > MAX_AHEAD
        if is_deaf != self._is_deaf:
            self._is_deaf = is_deaf
            transport = self._tcp()
            (transport.pauseProducing if is_deaf else transport.resumeProducing)()

    def _watch(self) -> None:
        """Have the right time run: none while there is something to answer."""
        if self._is_waiting:
            self._is_idle = False
            self._end_deadline()
        elif self._parser is not None and self._parser.has_begun:
            if self._deadline is None or self._is_idle:
                self._is_idle = False
                self._within(self._limits.header_timeout, MirrorChannel._too_slow)
        else:
            self._is_idle = True
            is_ending = self._is_dismissed or self.site.is_draining
            seconds = LAST_CALL if is_ending else self._limits.idle_timeout
            self._within(seconds, MirrorChannel.loseConnection)
            self._queue(REST, MirrorChannel._rest).begin(self)

    def _rest(self) -> None:
        """No request has come for a while: keep as little as will do until one does."""
        if self._is_idle:
            self._forget_parser()

    def _forget_parser(self) -> None:
        if self._parser is not None:
            self._parser.close()
            self._parser = None

    def _too_slow(self) -> None:
        if self._has_heard:
            self.refuse(RequestTimeout())
        else:
            self.loseConnection()

    def _takes_nothing(self) -> None:
        self._stalled = None
        self.forceAbortClient()

    def _within(self, seconds: float, work: Callable[[MirrorChannel], None]) -> None:
        """Have ``work`` done then, instead of what was to be done before."""
        queue = self._queue(seconds, work)
        if queue is not self._deadline:
            self._end_deadline()
            self._deadline = queue
        queue.begin(self)

    def _queue(self, seconds: float, work: Callable[[MirrorChannel], None]) -> Queue[MirrorChannel]:
        return self.site.deadlines.queue(seconds, work)

    def _end_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.end(self)
            self._deadline = None

    def _end_stall(self) -> None:
        if self._stalled is not None:
            self._stalled.end(self)
            self._stalled = None

    def _end_turn(self) -> None:
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None

    def _tcp(self) -> Any:
        return cast(ITCPTransport, self.transport)


def _authority(local: IPv4Address | IPv6Address) -> str:
    """Address and port as a Host has them."""
    address = local.host.partition("%")[0]  # without an IPv6 zone
    host = f"[{address}]" if ":" in address else address
    return f"{host}:{local.port}"
