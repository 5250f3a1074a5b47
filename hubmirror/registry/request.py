"""One HTTP request: who it is from, and its line in the access log."""

from __future__ import annotations

from secrets import token_hex
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import parse_qsl, urlencode

from twisted.internet.interfaces import IProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.server import Request

from hubmirror.errors import BadRequest, RegistryError
from hubmirror.question import Client, Headers
from hubmirror.registry.forwarded import client_of, parse_host
from hubmirror.registry.responses import PREFLIGHT_HEADERS, error_body, reason

if TYPE_CHECKING:
    from hubmirror.registry.channel import MirrorChannel
    from hubmirror.registry.site import MirrorSite

__all__ = ["MirrorRequest", "parse_parameters", "public_url_of"]

#: Parameters of a query that may stand in the log: never a secret.
LOGGED_PARAMETERS: Final = frozenset({"artifactType", "last", "n", "ns", "scope", "service"})


class MirrorRequest(Request):
    """A request to the mirror.

    ``mirror_client`` is who asks, by the connection or by a trusted proxy's word;
    ``upstream_seconds`` is told by whoever asked upstream.
    """

    defaultContentType = None
    site: MirrorSite
    channel: MirrorChannel
    upstream_seconds: float | None = None
    _log = Logger()

    def process(self) -> None:
        self.site = self.channel.site
        self.request_id = token_hex(8)
        self._began = self.site.reactor.seconds()
        self.mirror_client = self._client()
        self.setHeader("X-Request-Id", self.request_id)
        self.notifyFinish().addCallbacks(self._finished, self._broken_off)
        super().process()

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

    def text_header(self, name: str) -> str | None:
        """The first field called ``name``, as text (Latin-1, as RFC 9110 has it)."""
        values = self.requestHeaders.getRawHeaders(name.encode())
        return values[0].decode("latin-1") if values else None

    def text_headers(self) -> Headers:
        """All fields, as text."""
        return tuple(
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, values in self.requestHeaders.getAllRawHeaders()
            for value in values
        )

    def query(self) -> Headers:
        """The query's parameters in their order.

        Raises ``BadRequest`` where they hold a control character or are no UTF-8.
        """
        return parse_parameters(self.uri.partition(b"?")[2])

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

    def _client(self) -> Client:
        frontage = self.site.frontage
        address, public_url = client_of(
            peer=self.channel.peer_host(),
            is_secure=self.isSecure(),
            host=self._host(),
            headers=self.text_headers(),
            trusted=frontage.trusted_proxies,
            public_url=frontage.public_url,
        )
        return Client(address, public_url, self.text_header("User-Agent"))

    def _host(self) -> str:
        host = self.text_header("Host")
        if host is not None and parse_host(host) is not None:
            return host
        return self.channel.local_authority()

    def _finished(self, _: None) -> None:
        self._say(self.code)

    def _broken_off(self, _reason: Failure) -> None:
        self._say(self.code if self.startedWriting else 499, is_whole=False)

    def _say(self, status: int, *, is_whole: bool = True) -> None:
        fields: dict[str, object] = {
            "client": self.mirror_client.address,
            "method": self.method.decode("latin-1"),
            "path": self._loggable_path(),
            "status": status,
            "bytes": self.sentLength,
            "seconds": round(self.site.reactor.seconds() - self._began, 4),
            "id": self.request_id,
        }
        if self.upstream_seconds is not None:
            fields["upstream"] = round(self.upstream_seconds, 4)
        if not is_whole:
            fields["aborted"] = True
        self.site.log_request(fields)

    def _loggable_path(self) -> str:
        path, _, query = self.uri.decode("latin-1").partition("?")
        if not query:
            return path
        shown = [
            (name, value if name in LOGGED_PARAMETERS else "-")
            for name, value in parse_qsl(query, keep_blank_values=True)
        ]
        return f"{path}?{urlencode(shown, safe=':/,*')}"


def public_url_of(request: Request) -> str:
    """The URL (scheme and authority) by which the sender of ``request`` knows this mirror."""
    return cast(MirrorRequest, request).mirror_client.public_url


def parse_parameters(encoded: bytes) -> Headers:
    """``application/x-www-form-urlencoded`` parameters, in their order.

    Raises ``BadRequest`` where they hold a control character, or are no UTF-8, or are too many.
    """
    try:
        pairs = parse_qsl(
            encoded.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=100
        )
    except ValueError:
        raise BadRequest("the request's parameters are malformed") from None
    if any(not text.isprintable() for pair in pairs for text in pair):
        raise BadRequest("a parameter of the request holds a control character")
    return tuple(pairs)
