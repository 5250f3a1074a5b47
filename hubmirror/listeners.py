"""The sockets that the mirror listens on."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IProtocolFactory

from hubmirror.config import ListenAddress
from hubmirror.errors import HubmirrorError
from hubmirror.transport.ports import TLSPort
from hubmirror.transport.tls import Secure

__all__ = ["ListenError", "Listeners"]

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
            for host in _interfaces(address):
                port = self._listen(scheme, host, address.port, factory, secure)
                self._ports.append(port)
                urls.append(f"{scheme}://{_authority(host, port.getHost().port)}")
        return urls

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
            if secure is None:
                return self._reactor.listenTCP(number, factory, backlog=BACKLOG, interface=host)
            port = TLSPort(number, factory, secure, self._reactor, BACKLOG, host)
            port.startListening()
            return port
        except CannotListenError as error:
            reason = getattr(error.socketError, "strerror", None) or str(error.socketError)
            raise ListenError(
                f"cannot listen on {scheme}://{_authority(host, number)}: {reason}"
            ) from error


def _interfaces(address: ListenAddress) -> list[str]:
    """The addresses behind ``address.host``, which may be a name; asked once, at the start."""
    if not address.host:
        return ["::"] if socket.has_dualstack_ipv6() else ["0.0.0.0"]  # noqa: S104 - asked for
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ListenError(f"cannot listen on {address.host}: {error.strerror}") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
