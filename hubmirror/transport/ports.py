"""Listening sockets that bear a rush: few connections a turn, and none lost for want of files.

Twisted's own port accepts without end while others wait, and closes what it has no file
descriptor for. These leave it to the kernel to keep connections waiting, where they cost nothing.
"""

from __future__ import annotations

import errno
import socket
from functools import partial
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall, IProtocolFactory
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.tcp import Port
from twisted.logger import Logger
from twisted.python.failure import Failure

from hubmirror.transport.tls import Secure, TLSServer

__all__ = ["ACCEPT_PAUSE", "PlainPort", "TLSPort"]

#: How long nothing is accepted after the process has run out of file descriptors, in seconds:
#: asking on would take all of the processor.
ACCEPT_PAUSE: Final = 0.25
#: How seldom that is told, in seconds.
TELL_AGAIN: Final = 60.0
#: What the system lacks for one more connection, which stays where it is (accept(2)).
_SHORTAGES: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class PlainPort(Port):
    """As ``reactor.listenTCP``'s port, after ``startListening``."""

    #: How many connections are taken in a turn at most: those that are there wait meanwhile.
    at_once = 64
    _log = Logger()

    def __init__(
        self,
        port: int,
        factory: IProtocolFactory,
        reactor: Any,
        backlog: int = 50,
        interface: str = "",
    ) -> None:
        super().__init__(port, factory, backlog, interface, reactor)
        self._going_on: IDelayedCall | None = None
        self._short_since: float | None = None
        self._told: float | None = None
        self._shares = False

    def createInternetSocket(self) -> socket.socket:
        """The socket before it is bound; see ``share``."""
        made: socket.socket = super().createInternetSocket()
        if self._shares:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        return made

    def share(self) -> None:
        """Let this process listen on the number twice for a moment, while one takes over.

        The two must both be told, the new one before it begins.
        """
        self._shares = True
        if self.connected:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)

    def close(self) -> None:
        """Listen no more, from this turn on; who waits to be accepted is, before.

        ``stopListening`` would reset them, and who comes until the reactor's next turn.
        """
        before = -1
        while before != self.sessionno:
            before = self.sessionno
            self.doRead()
        self.stopReading()
        self.connectionLost(Failure(CONNECTION_DONE))

    def doRead(self) -> None:
        """Connections wait (``IReadDescriptor``): take some of them."""
        for _ in range(self.at_once):
            try:
                accepted, address = self.socket.accept()
            except BlockingIOError:
                self._is_enough()
                return
            except OSError as error:
                if error.errno in _SHORTAGES:
                    self._is_short(error)
                    return
                # It was gone before it was taken, or a firewall has had it.
                continue
            self._begin(accepted, address)

    def connectionLost(self, reason: Failure) -> None:
        """It listens no more (``IReadDescriptor``)."""
        if self._going_on is not None:
            self._going_on.cancel()
            self._going_on = None
        super().connectionLost(reason)

    def _begin(self, accepted: Any, address: Any) -> None:
        factory: Any = self.factory
        make: Any = self.transport
        self.sessionno += 1
        try:
            protocol = factory.buildProtocol(self._buildAddr(address))
            transport = make(accepted, protocol, address, self, self.sessionno, self.reactor)
        except Exception:
            self._log.failure("a connection could not begin")
            accepted.close()
            return
        try:
            protocol.makeConnection(transport)
        except Exception:
            self._log.failure("a connection could not begin")
            transport.connectionLost(Failure())

    def _is_short(self, error: OSError) -> None:
        """Nothing can be accepted: wait a moment, and tell, but not each time."""
        reactor: Any = self.reactor
        now = reactor.seconds()
        if self._short_since is None:
            self._short_since = now
        if self._told is None or now - self._told >= TELL_AGAIN:
            self._told = now
            self._log.warn(
                "connections wait, as none can be accepted: {why} ({code})",
                why=error.strerror,
                code=errno.errorcode[error.errno or 0],
            )
        self.stopReading()
        if self._going_on is None:
            self._going_on = reactor.callLater(ACCEPT_PAUSE, self._go_on)

    def _go_on(self) -> None:
        self._going_on = None
        if self.connected and not self.disconnecting:
            self.startReading()

    def _is_enough(self) -> None:
        """All that waited were accepted."""
        since, self._short_since = self._short_since, None
        reactor: Any = self.reactor
        if since is not None and self._told is not None and self._told >= since:
            seconds = reactor.seconds() - since
            self._log.info("connections are accepted again, {s:.1f} s later", s=seconds)


class TLSPort(PlainPort):
    """The same for connections that speak TLS; ``secure`` begins it on each."""

    #: Each is about to shake hands, which takes a hundred times as long as to answer it.
    at_once = 8
    _type = "TLS"

    def __init__(
        self,
        port: int,
        factory: IProtocolFactory,
        secure: Secure,
        reactor: Any,
        backlog: int = 50,
        interface: str = "",
    ) -> None:
        super().__init__(port, factory, reactor, backlog, interface)
        self.transport = partial(TLSServer, secure=secure)  # type: ignore[assignment]
