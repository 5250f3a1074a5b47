"""One HTTP request on its way through the tree of resources, and its line in the access log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from twisted.internet.interfaces import IProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.server import Request
from zope.interface import implementer

from hubmirror.errors import RegistryError
from hubmirror.monitor.access import Viewer
from hubmirror.question import Client
from hubmirror.registry.message import Exchange
from hubmirror.registry.responses import PREFLIGHT_HEADERS, error_body, reason
from hubmirror.transport.kernel import IKernelConsumer, KernelSocket

if TYPE_CHECKING:
    from hubmirror.registry.api import Begun
    from hubmirror.registry.channel import MirrorChannel
    from hubmirror.registry.site import MirrorSite

__all__ = ["MirrorRequest", "public_url_of", "viewer_of"]

#: Fields by which a proxy says that it has passed a request on.
PROXY_FIELDS: Final = (
    *(b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"),
    *(b"x-real-ip", b"via"),
)


@implementer(IKernelConsumer)
class MirrorRequest(Request):
    """A request to the mirror.

    ``exchange`` is what came and from whom, ``begun`` the work on it where that has begun before
    the tree was asked, or what defect there was in it; ``upstream_seconds`` is told by whoever
    asked upstream; ``is_relayed`` that another process serves it, which has it in its log.
    """

    defaultContentType = None
    site: MirrorSite
    channel: MirrorChannel  # type: ignore[assignment]
    exchange: Exchange
    begun: Begun | Failure | None = None
    upstream_seconds: float | None = None
    is_relayed = False
    _log = Logger()

    def serve(self, exchange: Exchange, begun: Begun | Failure | None) -> None:
        """Find out who answers ``exchange``, and let him."""
        self.exchange, self.begun = exchange, begun
        message = exchange.message
        for name, values in message.fields.items():
            self.requestHeaders.setRawHeaders(name, values)
        self.gotLength(len(message.body))
        self.handleContentChunk(message.body)
        self.requestReceived(message.method, message.target, message.version)

    def process(self) -> None:
        self.site = self.channel.site
        self.setHeader("X-Request-Id", self.request_id)
        self.notifyFinish().addCallbacks(self._finished, self._broken_off)
        super().process()

    @property
    def mirror_client(self) -> Client:
        """Who asks, by the connection or by a trusted proxy's word."""
        return self.exchange.client

    @property
    def request_id(self) -> str:
        """The id that the client is told, and that the log has."""
        return self.exchange.id

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """As Twisted's, but a client that has gone is no error: its producer is stopped."""
        if self._is_gone():
            producer.stopProducing()
        else:
            super().registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """As Twisted's, but a client that has gone is no error."""
        if not self._is_gone():
            super().unregisterProducer()

    def seconds(self) -> float:
        """How long it has been here."""
        return self.site.reactor.seconds() - self.exchange.began

    def kernel_socket(self) -> KernelSocket | None:
        """See ``IKernelConsumer``."""
        if self._is_gone() or self.chunked:
            return None
        return self.channel.kernel_socket()

    def sent_by_kernel(self, count: int) -> None:
        """See ``IKernelConsumer``."""
        self.sentLength += count

    def text_header(self, name: str) -> str | None:
        """The first field called ``name``, as text (Latin-1, as RFC 9110 has it)."""
        return self.exchange.message.text(name.lower().encode())

    def set_status(self, status: int) -> None:
        """As ``setResponseCode``, with the reason phrases that Twisted lacks."""
        self.setResponseCode(status, reason(status).encode())

    def preflight(self) -> None:
        """Add what a browser asks ``OPTIONS`` for."""
        for name, value in PREFLIGHT_HEADERS:
            self.setHeader(name, value)

    def fail(self, error: RegistryError) -> None:
        """Write ``error`` as the registry's JSON and finish."""
        body = error_body(error)
        self.set_status(error.status)
        for name, value in error.headers.items():
            self.setHeader(name, value)
        self.setHeader("Content-Type", "application/json")
        self.setHeader("Content-Length", str(len(body)))
        self.write(body)
        self.finish()

    def break_off(self) -> None:
        """End the connection so that the client notices that its body is not whole."""
        if not self._is_gone():
            self.channel.forceAbortClient()

    def processingFailed(self, reason: Failure) -> Failure:
        """A defect of ours: the stack goes to the log, a plain 500 to the client."""
        self._log.failure("request {id} failed", failure=reason, id=self.request_id)
        if self.startedWriting:
            self.break_off()
        else:
            self.fail(RegistryError())
        return reason

    def _is_gone(self) -> bool:
        """Whether the connection is lost: Twisted takes the channel away then."""
        return cast(object, self.channel) is None

    def viewer(self) -> Viewer:
        """Who this is to those who decide about watching the mirror."""
        client, message = self.mirror_client, self.exchange.message
        caller = self.channel.caller
        told = client.public_url.partition("://")[2]
        is_relayed = any(name in message.fields for name in PROXY_FIELDS)
        is_proxys = client.address == caller.address
        return Viewer(client.address, (caller.host(message), told), is_relayed and is_proxys)

    def _finished(self, _: None) -> None:
        self._say(self.code)

    def _broken_off(self, _reason: Failure) -> None:
        self._say(self.code if self.startedWriting else 499, is_whole=False)

    def _say(self, status: int, *, is_whole: bool = True) -> None:
        if self.is_relayed:
            return
        line = self.exchange.line(
            status=status,
            sent=self.sentLength,
            seconds=self.seconds(),
            upstream=self.upstream_seconds,
            is_whole=is_whole,
        )
        self.site.log_request(line)


def public_url_of(request: Request) -> str:
    """The URL (scheme and authority) by which the sender of ``request`` knows this mirror."""
    return cast(MirrorRequest, request).mirror_client.public_url


def viewer_of(request: Request) -> Viewer:
    """Who asks to watch this mirror by ``request``."""
    return cast(MirrorRequest, request).viewer()
