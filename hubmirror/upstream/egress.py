"""The way out: through an HTTP proxy's CONNECT, for all hosts but those of ``NO_PROXY``.

Source: RFC 9110, section 9.3.6 (CONNECT) and 11.7 (Proxy-Authorization); RFC 7617 (Basic).
``NO_PROXY`` is read as Go does (golang.org/x/net/http/httpproxy), but for its special case of
loopback hosts: as with curl, they too go through the proxy unless ``NO_PROXY`` names them.
"""

from __future__ import annotations

import re
from base64 import b64encode
from functools import partial
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final, cast
from urllib.parse import unquote, urlsplit

from attrs import field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from zope.interface import implementer

from hubmirror.errors import UpstreamFailure
from hubmirror.upstream.failures import describe_failure
from hubmirror.upstream.prelude import Prelude

__all__ = ["Credentials", "Egress", "TunnelEndpoint", "bypasses"]

#: A proxy's answer to CONNECT, status line and header fields together, in bytes.
MAX_ANSWER: Final = 16 * 1024

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?\r\n")
_ENTRY_PORT: Final = re.compile(r"(?P<host>\[[^\]]*\]|[^:]*):(?P<port>[0-9]+)")


@frozen
class Credentials:
    """A user and a password; no representation shows the password."""

    user: str
    password: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Credentials:
        """Read ``user:password``; raises ``ValueError`` for any other shape."""
        user, colon, password = text.strip().partition(":")
        if not colon or not user:
            raise ValueError("the proxy's credentials are to be written as user:password")
        return cls(user, password)

    def basic(self) -> bytes:
        """The value of ``Proxy-Authorization``."""
        return b"Basic " + b64encode(f"{self.user}:{self.password}".encode())


@frozen
class Egress:
    """A proxy, and which hosts do without it: ``no_proxy`` is as the variable of that name."""

    host: str
    port: int
    credentials: Credentials | None = None
    no_proxy: str = ""

    @classmethod
    def parse(
        cls, url: str, *, credentials: Credentials | None = None, no_proxy: str = ""
    ) -> Egress:
        """Read ``http://[user:password@]host[:port]``; ``credentials`` win over the URL's.

        Raises ``ValueError`` in words that hold nothing of the URL, which may be secret.
        """
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            host, port = parts.hostname, parts.port
            if "[" in parts.netloc:
                IPv6Address(host or "")  # Python 3.10's urlsplit does not look
        except ValueError:
            raise ValueError("the egress proxy's host or port is malformed") from None
        if parts.scheme != "http":
            raise ValueError("the egress proxy is to be an http:// URL: only CONNECT is spoken")
        if not host or not host.isascii() or parts.path not in ("", "/") or parts.query:
            raise ValueError("the egress proxy is to be written as http://host:port")
        if credentials is None and parts.username:
            credentials = Credentials(unquote(parts.username), unquote(parts.password or ""))
        return cls(host, port or 80, credentials, no_proxy)

    def serves(self, host: str, port: int) -> bool:
        """Whether connections to ``host`` and ``port`` go through this proxy."""
        return not bypasses(self.no_proxy, host, port)

    def __str__(self) -> str:
        return _authority(self.host, self.port)


@implementer(IStreamClientEndpoint)
class TunnelEndpoint:
    """Connects to ``host`` and ``port`` through ``egress``, which ``to_proxy`` connects to.

    Fails with an ``UpstreamFailure`` that names the proxy when the proxy cannot be reached,
    refuses, or answers anything that is not HTTP.
    """

    def __init__(
        self, to_proxy: IStreamClientEndpoint, egress: Egress, host: str, port: int
    ) -> None:
        self._to_proxy = to_proxy
        self._egress = egress
        self._authority = _authority(host, port)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """See ``IStreamClientEndpoint``."""
        prelude = partial(_Connect, protocolFactory, self._egress, self._authority)
        connected = self._to_proxy.connect(Factory.forProtocol(prelude))
        return connected.addErrback(self._unreachable).addCallback(_tunnelled)

    def _unreachable(self, failure: Failure) -> Failure:
        failure.trap(ConnectError, DNSLookupError)
        return Failure(describe_failure(failure, f"the egress proxy {self._egress}"))


def _tunnelled(connect: IProtocol) -> Deferred[IProtocol]:
    return cast(_Connect, connect).ready


class _Connect(Prelude):
    """Asks the proxy for a tunnel."""

    def __init__(self, factory: IProtocolFactory, egress: Egress, authority: str) -> None:
        super().__init__(factory)
        self._egress = egress
        self._authority = authority
        self._answer = b""

    def connectionMade(self) -> None:
        target = self._authority.encode("ascii")
        lines = [b"CONNECT %b HTTP/1.1" % target, b"Host: %b" % target]
        if self._egress.credentials is not None:
            lines.append(b"Proxy-Authorization: %b" % self._egress.credentials.basic())
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n")

    def preludeReceived(self, data: bytes) -> None:
        self._answer += data
        head, end, rest = self._answer.partition(b"\r\n\r\n")
        if len(head) > MAX_ANSWER:
            self._refuse("sent too long an answer")
        elif end:
            self._answered(_STATUS_LINE.match(head + end), rest)

    def preludeLost(self, reason: Failure) -> Failure:  # noqa: ARG002
        return self._failure("closed the connection without an answer")

    def _answered(self, status_line: re.Match[bytes] | None, rest: bytes) -> None:
        if status_line is None:
            self._refuse("did not answer in HTTP")
        elif status_line[1].startswith(b"2"):
            self.hand_over(rest)
        elif status_line[1] == b"407":
            wrong = "refused the credentials" if self._egress.credentials else "wants credentials"
            self._refuse(f"{wrong} (status 407)")
        else:
            self._refuse(f"refused to connect (status {int(status_line[1])})")

    def _refuse(self, what: str) -> None:
        self.give_up(self._failure(what))

    def _failure(self, what: str) -> Failure:
        sentence = f"the egress proxy {self._egress} {what}, asked for {self._authority}"
        return Failure(UpstreamFailure(sentence))


def bypasses(no_proxy: str, host: str, port: int) -> bool:
    """Whether ``no_proxy`` says that ``host`` and ``port`` are connected to directly.

    Its entries, between commas or blanks, are ``*``, an address, a network (``10.0.0.0/8``), a
    name (itself and all below it) or a name after a dot (only what is below it), the last two
    and addresses also with ``:port``.
    """
    entries = no_proxy.lower().replace(",", " ").split()
    name = host.strip("[]").rstrip(".").lower()
    return any(_matches(entry, name, port) for entry in entries)


def _matches(entry: str, name: str, port: int) -> bool:
    if entry == "*":
        return True
    with_port = _ENTRY_PORT.fullmatch(entry)
    if with_port is not None:
        if int(with_port["port"]) != port:
            return False
        entry = with_port["host"]
    entry = entry.strip("[]")
    try:
        address = ip_address(name)
    except ValueError:
        return _is_within(entry, name)
    try:
        return address in ip_network(entry, strict=False)
    except ValueError:
        return False


def _is_within(entry: str, name: str) -> bool:
    domain = entry.removeprefix("*").rstrip(".")
    if domain.startswith("."):
        return name.endswith(domain)
    return bool(domain) and (name == domain or name.endswith(f".{domain}"))


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
