"""The sockets that the mirror listens on."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.unix import Port as UNIXPort

from hubmirror.config import ListenAddress
from hubmirror.errors import HubmirrorError
from hubmirror.transport.ports import PlainPort, TLSPort
from hubmirror.transport.tls import Secure

__all__ = ["BACKLOG", "ListenError", "Listeners", "authority", "interfaces", "url_of"]

#: Connections that wait to be accepted; Linux cuts it to net.core.somaxconn.
BACKLOG = 1024


class ListenError(HubmirrorError):
    """An address can't be listened on; the message says which and why."""


class Listeners:
    """Listening ports of ``reactor``, an ``IReactorTCP``."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._ports: list[Any] = []

    def listen(
        self,
        scheme: str,
        addresses: Iterable[ListenAddress],
        factory: IProtocolFactory,
        secure: Secure | None = None,
    ) -> list[str]:
        """Listen on every one of ``addresses``; the URLs, with the ports that they really have.

        ``secure`` begins TLS on each connection; None: they stay plain. Raises ``ListenError`` at
        the first address that fails.
        """
        urls = []
        for address in addresses:
            for host in interfaces(address):
                port = self._listen(scheme, host, address.port, factory, secure)
                self._ports.append(port)
                urls.append(f"{scheme}://{authority(host, port.getHost().port)}")
        return urls

    def adopt(
        self,
        sockets: Iterable[socket.socket],
        factory: IProtocolFactory,
        secure: Secure | None = None,
    ) -> None:
        """Listen on ``sockets``, which listen already, for others of this mirror, too."""
        for adopted in sockets:
            interface = adopted.getsockname()[0]
            port = self._made(0, factory, secure, interface)
            # As reactor.adoptStreamPort does: so it is not shut down when it is closed here.
            port._preexistingSocket = adopted
            port.startListening()
            self._ports.append(port)

    def adopt_local(self, descriptor: int, factory: IProtocolFactory) -> None:
        """Listen on a socket of ``AF_UNIX`` that listens already."""
        # The name is one without a file: else Twisted would change the file's mode, and remove it.
        port = UNIXPort(b"\0hubmirror", factory, BACKLOG, reactor=self._reactor)
        port._preexistingSocket = socket.socket(fileno=descriptor)
        port._shouldShutdown = False
        port.startListening()
        self._ports.append(port)

    def hold(self) -> None:
        """Let connections wait in the kernel until ``accept``."""
        for port in self._ports:
            port.stopReading()

    def accept(self) -> None:
        """Take the connections that have come, and those to come."""
        for port in self._ports:
            port.startReading()

    async def stop(self) -> None:
        """Accept no more connections; those accepted go on."""
        for port in self._ports:
            await maybeDeferred(port.stopListening)

    def _listen(
        self, scheme: str, host: str, number: int, factory: IProtocolFactory, secure: Secure | None
    ) -> Any:
        try:
            port = self._made(number, factory, secure, host)
            port.startListening()
            return port
        except CannotListenError as error:
            reason = getattr(error.socketError, "strerror", None) or str(error.socketError)
            raise ListenError(
                f"cannot listen on {scheme}://{authority(host, number)}: {reason}"
            ) from error

    def _made(
        self, number: int, factory: IProtocolFactory, secure: Secure | None, host: str
    ) -> PlainPort:
        if secure is None:
            return PlainPort(number, factory, self._reactor, BACKLOG, host)
        return TLSPort(number, factory, secure, self._reactor, BACKLOG, host)


def url_of(scheme: str, listening: socket.socket) -> str:
    """Where a socket listens, as a URL."""
    host, port = listening.getsockname()[:2]
    return f"{scheme}://{authority(host, port)}"


def interfaces(address: ListenAddress) -> list[str]:
    """The addresses behind ``address.host``, which may be a name; asked once, at the start."""
    if not address.host:
        return ["::"] if socket.has_dualstack_ipv6() else ["0.0.0.0"]  # noqa: S104 - asked for
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ListenError(f"cannot listen on {address.host}: {error.strerror}") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def authority(host: str, port: int) -> str:
    """Address and port as a URL has them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
