"""Twisted's HTTP/1.1 server protocol, made strict, with limits of its own.

Twisted's parser decides what a request is; this adds what RFC 9112 leaves to a server's care:
sizes, times, one Host, no body where none belongs, no ambiguous framing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from attrs import frozen
from twisted.internet.interfaces import IDelayedCall, ITCPTransport
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.http import Request as TwistedRequest

from hubmirror.errors import BadRequest, RegistryError
from hubmirror.registry.forwarded import parse_host
from hubmirror.registry.responses import raw_response

if TYPE_CHECKING:
    from hubmirror.registry.site import MirrorSite

__all__ = ["Limits", "MirrorChannel"]

#: The longest request line, in bytes.
MAX_REQUEST_LINE: Final = 8 * 1024
#: All header lines of a request together, in bytes.
MAX_HEADERS: Final = 16 * 1024
#: The longest body: a token request's form.
MAX_BODY: Final = 64 * 1024
#: The most bytes of one send: a chunk as the upstream's connection reads it.
LARGEST_SEND: Final = 256 * 1024
#: How long a refused client may take to read why, in seconds.
LINGER: Final = 2.0
#: The first byte of a TLS handshake record (RFC 8446, section 5.1).
TLS_HANDSHAKE: Final = 0x16


@frozen
class Limits:
    """What one client may take. Times are in seconds."""

    header_timeout: float = 10.0
    idle_timeout: float = 75.0
    send_timeout: float = 300.0
    max_connections: int = 4096
    max_connections_per_client: int = 256


class RequestLineTooLong(RegistryError):
    """A request line over ``MAX_REQUEST_LINE``."""

    status = 414
    code = "UNSUPPORTED"
    default_message = "the request line is longer than 8 KiB"


class HeadersTooLarge(RegistryError):
    """Header lines over ``MAX_HEADERS``."""

    status = 431
    code = "UNSUPPORTED"
    default_message = "the request's headers are larger than 16 KiB"


class BodyTooLarge(RegistryError):
    """A body over ``MAX_BODY``."""

    status = 413
    code = "UNSUPPORTED"
    default_message = "the request's body is too large: this is a read-only mirror"


class RequestTimeout(RegistryError):
    """A request that was not whole in time."""

    status = 408
    code = "UNSUPPORTED"
    default_message = "the request took too long to arrive"


class VersionNotSupported(RegistryError):
    """Another HTTP than 1.0 and 1.1."""

    status = 505
    code = "UNSUPPORTED"
    default_message = "this server speaks HTTP/1.1"


class Misdirected(RegistryError):
    """A target on another authority than ours (RFC 9110, section 15.5.20)."""

    status = 421
    code = "UNSUPPORTED"
    default_message = "this is a registry mirror, not an open proxy"


class MirrorChannel(HTTPChannel):
    """One client's connection.

    Within ``header_timeout`` of its start (for a kept connection: of its first byte) a request
    must be whole, however its bytes drip in; between requests ``idle_timeout`` holds.
    """

    totalHeadersSize = MAX_REQUEST_LINE + MAX_HEADERS
    maxHeaders = MAX_HEADERS  # their size bounds their number
    MAX_LENGTH = MAX_HEADERS

    def __init__(self, site: MirrorSite) -> None:
        super().__init__()
        self.site = self.factory = site
        self.requestFactory = site.requestFactory
        self.callLater = site.reactor.callLater  # type: ignore[assignment,method-assign]
        self.timeOut = site.limits.idle_timeout  # type: ignore[assignment]
        self._limits = site.limits
        self._deadline: IDelayedCall | None = None
        self._stalled: IDelayedCall | None = None
        self._heard = False
        self._in_headers = False
        self._header_bytes = 0
        self.is_busy = False
        self.is_refused = False

    def connectionMade(self) -> None:
        super().connectionMade()
        self._tcp().SEND_LIMIT = LARGEST_SEND  # type: ignore[attr-defined]
        self.site.connected(self)
        self._deadline = self.callLater(self._limits.header_timeout, self._too_slow)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end_deadline()
        self._end_stall()
        self.site.disconnected(self)
        super().connectionLost(reason)

    def dataReceived(self, data: bytes) -> None:
        if self.is_refused:
            return
        if not self._heard:
            self._heard = True
            if data[0] == TLS_HANDSHAKE and not self.isSecure():
                # docker, podman and skopeo try TLS first: tell them at once.
                self._tcp().abortConnection()
                return
        if self._deadline is None and not self.is_busy:
            self._deadline = self.callLater(self._limits.header_timeout, self._too_slow)
        super().dataReceived(data)

    def lineReceived(self, line: bytes) -> None:
        if self.is_refused:
            return
        objection = self._objection_to_line(line)
        if objection is not None:
            self.refuse(objection)
        else:
            super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: ARG002
        self.refuse(HeadersTooLarge() if self._in_headers else RequestLineTooLong())

    def rawDataReceived(self, data: bytes) -> None:
        if not self.is_refused:
            super().rawDataReceived(data)

    def allHeadersReceived(self) -> None:
        objection = self._objection_to_headers(self.requests[-1])
        if objection is not None:
            self.refuse(objection)
        else:
            super().allHeadersReceived()

    def allContentReceived(self) -> None:
        if self.is_refused:
            return
        self._end_deadline()
        self._in_headers = False
        self._header_bytes = 0
        self.is_busy = True
        super().allContentReceived()

    def checkPersistence(self, request: TwistedRequest, version: bytes) -> bool:
        return not self.site.is_draining and super().checkPersistence(request, version)

    def requestDone(self, request: TwistedRequest) -> None:
        self.is_busy = False
        if self.site.is_draining:
            self.persistent = False
        super().requestDone(request)

    def pauseProducing(self) -> None:
        if self._stalled is None:
            self._stalled = self.callLater(self._limits.send_timeout, self._takes_nothing)
        super().pauseProducing()

    def resumeProducing(self) -> None:
        self._end_stall()
        super().resumeProducing()

    def refuse(self, error: RegistryError) -> None:
        """Answer what is no request that we serve, read no more of it, and hang up."""
        self.is_refused = True
        self._end_deadline()
        self.site.log_refusal(self.peer_host(), error)
        transport = self._tcp()
        transport.write(raw_response(error))
        # Closing with bytes unread would reset the connection before the client has read
        # the answer: half-close and give it a moment.
        if self.isSecure():
            self.loseConnection()
        else:
            transport.loseWriteConnection()
        self._deadline = self.callLater(LINGER, self.forceAbortClient)

    def peer_host(self) -> str:
        """The address of the connection's other end."""
        return str(self._tcp().getPeer().host)

    def local_authority(self) -> str:
        """Address and port of the connection's own end, as a Host has them."""
        local = self._tcp().getHost()
        address = local.host.partition("%")[0]  # without an IPv6 zone
        host = f"[{address}]" if ":" in address else address
        return f"{host}:{local.port}"

    def _tcp(self) -> ITCPTransport:
        return cast(ITCPTransport, self.transport)

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.refuse(BadRequest())

    def _objection_to_line(self, line: bytes) -> RegistryError | None:
        if b"\n" in line or b"\r" in line:
            return BadRequest("a line of the request ends in a bare CR or LF")
        if not self._in_headers:
            return self._objection_to_request_line(line)
        self._header_bytes += len(line) + 2
        if self._header_bytes > MAX_HEADERS:
            return HeadersTooLarge()
        if line[:1] in (b" ", b"\t"):
            return BadRequest("a header line is folded (RFC 9112, section 5.2)")
        return None

    def _objection_to_request_line(self, line: bytes) -> RegistryError | None:
        if len(line) > MAX_REQUEST_LINE:
            return RequestLineTooLong()
        version = line.rpartition(b" ")[2]
        if version[:5] == b"HTTP/" and version not in (b"HTTP/1.1", b"HTTP/1.0"):
            return VersionNotSupported()
        self._in_headers = bool(line)
        return None

    def _objection_to_headers(self, request: TwistedRequest) -> RegistryError | None:
        hosts = request.requestHeaders.getRawHeaders(b"Host", [])
        if len(hosts) > 1 or (not hosts and self._version == b"HTTP/1.1"):
            return BadRequest("the request must have exactly one Host header")
        if hosts and parse_host(hosts[0].decode("latin-1")) is None:
            return BadRequest("the Host header is malformed")
        return self._objection_to_target() or self._objection_to_body(request)

    def _objection_to_target(self) -> RegistryError | None:
        if self._command == b"CONNECT":
            return _no_tunnels()
        if self._path.startswith(b"/") or self._path == b"*":
            return None
        scheme, separator, rest = self._path.partition(b"://")
        if not separator or scheme.lower() not in (b"http", b"https"):
            return BadRequest("the request's target is malformed")
        authority = rest.partition(b"/")[0].partition(b"?")[0].decode("latin-1")
        if not self.site.is_own_authority(authority, self.local_authority()):
            return Misdirected()
        self._path = b"/" + rest.partition(b"/")[2]
        self.requests[-1].requestHeaders.setRawHeaders(b"Host", [authority.encode("latin-1")])
        return None

    def _objection_to_body(self, request: TwistedRequest) -> RegistryError | None:
        codings = request.requestHeaders.getRawHeaders(b"Transfer-Encoding", [])
        if codings and (codings[0].lower() != b"chunked" or self._version == b"HTTP/1.0"):
            return BadRequest("the request's transfer coding is not understood")
        if self.length != 0 and self._command in (b"GET", b"HEAD"):
            return BadRequest("a GET or HEAD has no body here")
        if self.length is not None and self.length > MAX_BODY:
            return BodyTooLarge()
        return None

    def _too_slow(self) -> None:
        self._deadline = None
        if self._heard:
            self.refuse(RequestTimeout())
        else:
            self.loseConnection()

    def _takes_nothing(self) -> None:
        self._stalled = None
        self.forceAbortClient()

    def _end_deadline(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None

    def _end_stall(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None


def _no_tunnels() -> RegistryError:
    error = BadRequest("this is a registry mirror, not a proxy: it opens no tunnels")
    error.status = 405
    error.headers["Allow"] = "GET, HEAD, POST, OPTIONS"
    return error
