"""The server's side of one HTTP/1.1 connection: one request at a time, and times of its own.

``parsing`` decides what a request is, ``strictness`` which of them are taken; this adds what
RFC 9112 leaves to a server's care (sections 9.3 to 9.6: persistence, pipelining, closing).
"""

from __future__ import annotations

from collections.abc import Callable
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

from hubmirror.errors import BadRequest, RegistryError
from hubmirror.registry.callers import Caller
from hubmirror.registry.message import Exchange, Message
from hubmirror.registry.parsing import RequestParser
from hubmirror.registry.quick import Response
from hubmirror.registry.request import MirrorRequest
from hubmirror.registry.responses import raw_response
from hubmirror.registry.sending import send_now
from hubmirror.registry.strictness import check_head
from hubmirror.transport.kernel import KernelSocket
from hubmirror.transport.tls import file_socket

if TYPE_CHECKING:
    from hubmirror.registry.site import MirrorSite

__all__ = ["Limits", "MirrorChannel"]

#: How much is read ahead of the request at hand, so that a client's leaving is noticed, in bytes.
MAX_AHEAD: Final = 16 * 1024
#: The most bytes of one send: a chunk as the upstream's connection reads it.
LARGEST_SEND: Final = 256 * 1024
#: How long a refused client may take to read why, in seconds.
LINGER: Final = 2.0
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

    def __init__(self, site: MirrorSite) -> None:
        self.site = site
        self._limits = site.limits
        self._parser = RequestParser(self._accept)
        self._request: MirrorRequest | None = None
        self._producer: IPushProducer | None = None
        self._caller: Caller | None = None
        self._timer: IDelayedCall | None = None
        self._is_idle = False
        self._stalled: IDelayedCall | None = None
        self._has_heard = False
        self._is_last = False
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
        )
        self.site.connected(self)
        self._within(self._limits.header_timeout, self._too_slow)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._is_over = True
        self._end_timer()
        self._end_stall()
        self._parser.close()
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
        self._parser.feed(data)
        self._serve()

    def pauseProducing(self) -> None:
        """The client does not take what was sent (``IPushProducer``)."""
        self._is_stuffed = True
        if self._stalled is None:
            self._stalled = self._later(self._limits.send_timeout, self._takes_nothing)
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
        self._within(self._limits.send_timeout, self.forceAbortClient)

    def forceAbortClient(self) -> None:
        """End the connection now."""
        self._is_over = True
        self._tcp().abortConnection()

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.refuse(BadRequest())

    # What the rest of the mirror asks.

    @property
    def is_busy(self) -> bool:
        """Whether a request is being answered."""
        return self._request is not None

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
        self._within(LINGER, self.forceAbortClient)

    def _serve(self) -> None:
        """Serve what has come: one request at a time, and none while nobody takes answers."""
        if self._is_serving:
            return
        self._is_serving = True
        try:
            while not (self._is_over or self._is_stuffed or self.is_busy):
                message = self._parser.take()
                if message is None:
                    break
                self._begin(message)
        except RegistryError as error:
            self.refuse(error)
        finally:
            self._is_serving = False
        if not self._is_over:
            self._listen()
            self._watch()

    def _begin(self, message: Message) -> None:
        self._is_last = (
            self.site.is_draining or not message.is_persistent or message.version == b"HTTP/1.0"
        )
        frontage = self.site.frontage
        client = self.caller.client(message, frontage.trusted_proxies, frontage.public_url)
        exchange = Exchange(message, client, self.site.reactor.seconds())
        quick, api = self.site.quick, self.site.api
        begun = None if api is None else quick.begin(api, exchange)
        response = quick.response(begun, exchange, is_last=self._is_last)
        if response is not None:
            self._respond(exchange, response)
            return
        self._request = MirrorRequest(self)
        if self._is_last:
            self._request.setHeader("Connection", "close")
        self._request.serve(exchange, begun)

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
        """A response has been written: this was the connection's last, or it is kept."""
        if self._is_last or self.site.is_draining:
            self.loseConnection()

    def _accept(self, message: Message) -> None:
        """Refuse a head, or ask for its body (RFC 9110, section 10.1.1)."""
        check_head(message, self._is_own)
        expects = message.fields.get(b"expect", [b""])[0].lower() == b"100-continue"
        if expects and message.has_body and message.version == b"HTTP/1.1":
            self._tcp().write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _is_own(self, authority: str) -> bool:
        return self.site.is_own_authority(authority, self.caller.local)

    def _listen(self) -> None:
        """Read on, unless too much waits already."""
        is_waiting = self.is_busy or self._is_stuffed
        is_deaf = is_waiting and self._parser.waiting > MAX_AHEAD
        if is_deaf != self._is_deaf:
            self._is_deaf = is_deaf
            transport = self._tcp()
            (transport.pauseProducing if is_deaf else transport.resumeProducing)()

    def _watch(self) -> None:
        """Have the right time run: none while there is something to answer."""
        if self.is_busy or self._is_stuffed:
            self._is_idle = False
            self._end_timer()
        elif self._parser.has_begun:
            if self._timer is None or self._is_idle:
                self._is_idle = False
                self._within(self._limits.header_timeout, self._too_slow)
        elif self._is_idle and self._timer is not None:
            self._timer.reset(self._limits.idle_timeout)
        else:
            self._is_idle = True
            self._within(self._limits.idle_timeout, self.loseConnection)

    def _too_slow(self) -> None:
        if self._has_heard:
            self.refuse(RequestTimeout())
        else:
            self.loseConnection()

    def _takes_nothing(self) -> None:
        self._stalled = None
        self.forceAbortClient()

    def _within(self, seconds: float, work: Callable[[], None]) -> None:
        """Do ``work`` then, instead of what was to be done before."""
        self._end_timer()
        self._timer = self._later(seconds, lambda: self._time_is_up(work))

    def _time_is_up(self, work: Callable[[], None]) -> None:
        self._timer = None
        work()

    def _later(self, seconds: float, work: Callable[[], None]) -> IDelayedCall:
        return self.site.reactor.callLater(seconds, work)

    def _end_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end_stall(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _tcp(self) -> Any:
        return cast(ITCPTransport, self.transport)


def _authority(local: IPv4Address | IPv6Address) -> str:
    """Address and port as a Host has them."""
    address = local.host.partition("%")[0]  # without an IPv6 zone
    host = f"[{address}]" if ":" in address else address
    return f"{host}:{local.port}"
