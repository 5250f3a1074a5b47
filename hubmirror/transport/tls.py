"""A server's TLS connection on the socket itself: OpenSSL reads and writes it, none between.

As Twisted's own TCP transport but for what goes through OpenSSL. A ``write`` is buffered and
leaves when the socket has room; a slow reader pauses the producer.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, cast

from OpenSSL import SSL
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IDelayedCall, INegotiated
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.tcp import Connection, Server
from twisted.python.failure import Failure
from zope.interface import implementer

from hubmirror.transport.kernel import KernelSocket

__all__ = ["PARTING", "Secure", "TLSServer", "TLSSocket", "file_socket"]

#: Makes the server's side of TLS on a connected socket that doesn't block.
Secure = Callable[[socket.socket], SSL.Connection]

#: How long a connection that we have closed waits for the client to close it, too, in seconds:
#: until then what it still sends would be answered by a reset, which may cost it our last bytes.
PARTING: Final = 2.0
#: The most that one record holds, in bytes (RFC 8446, section 5.1). A read takes a whole one, so
#: OpenSSL never holds bytes that the socket doesn't show.
RECORD: Final = 16 * 1024
#: The most that OpenSSL is handed at once, in bytes: what is read of a file is then encrypted while
#: it is in the processor's cache. It must be handed the same again where the socket took a part.
LARGEST_WRITE: Final = 256 * 1024
#: The same of a file for whom nobody knows yet how fast he reads: what the socket doesn't take of
#: it stays in memory, for as long as a slow reader likes.
FIRST_WRITE: Final = 32 * 1024
#: Protocols that are over with the handshake (RFC 8737, section 6.2).
SILENT: Final = (b"acme-tls/1",)
#: And later on as much as leaves in so many seconds.
WRITE_AHEAD: Final = 0.02


@implementer(INegotiated)
class TLSServer(Server):
    """One client's connection, made by a ``TLSPort``.

    The protocol is connected at once and may write; what it writes leaves after the handshake.
    ``connectionLost`` has ``ConnectionDone`` where the client said that it closes,
    ``ConnectionLost`` where it was cut off, ``SSL.Error`` where it broke TLS's rules.
    """

    def __init__(
        self,
        sock: socket.socket,
        protocol: Any,
        client: Any,
        server: Any,
        sessionno: int,
        reactor: Any,
        *,
        secure: Secure,
    ) -> None:
        self._tls: SSL.Connection | None = secure(sock)
        super().__init__(sock, protocol, client, server, sessionno, reactor)
        self._is_shaking_hands = True
        self._is_paused = False
        self._reads_when_writable = False
        self._has_closed = False
        self._parting: Exception | None = None
        self._patience: IDelayedCall | None = None

    @property
    def negotiatedProtocol(self) -> bytes | None:
        """What ALPN chose (``INegotiated``); None before the handshake's end, too."""
        return (self._tls.get_alpn_proto_negotiated() if self._tls else None) or None

    def getPeerCertificate(self) -> object:
        """The client's certificate, if it has shown one (``ISSLTransport``)."""
        return self._tls.get_peer_certificate() if self._tls else None

    def pauseProducing(self) -> None:
        """Deliver nothing more; the handshake and the parting go on (``IPushProducer``)."""
        self._is_paused = True
        if not self._is_shaking_hands and self._parting is None:
            self.stopReading()

    def resumeProducing(self) -> None:
        """Deliver again (``IPushProducer``)."""
        self._is_paused = False
        super().resumeProducing()

    def loseConnection(self) -> None:
        """Close when all that was written has left; at once where nothing could be yet."""
        if not self._is_shaking_hands:
            super().loseConnection()
        elif self._tempDataLen:
            self.disconnecting = True  # once the handshake is over, it leaves
        else:
            self.abortConnection()

    def write_now(self, data: bytes) -> bool:
        """Send ``data`` past the buffer; what the socket doesn't take is buffered.

        Whether there was nothing of that.
        """
        sent = 0
        if self._tls is not None and not self.dataBuffer and not self._tempDataLen:
            # The same again, from the buffer, ends the connection where that must be.
            with suppress(SSL.Error):
                sent = self._tls.send(memoryview(data)[:LARGEST_WRITE])
        if sent < len(data):
            self.write(data[sent:])
        return sent == len(data)

    def doRead(self) -> Any:
        """The socket has something (``IReadDescriptor``): one record of it, to the protocol."""
        if self._parting is not None:
            return self._discard()
        if self._is_shaking_hands:
            failure = self._shake_hands()
            if failure is not None or self._is_shaking_hands or self._is_deaf():
                return failure
        return self._receive()

    def doWrite(self) -> Any:
        """The socket has room (``IWriteDescriptor``)."""
        if self._parting is not None:
            self.stopWriting()
            return None
        if self._is_shaking_hands:
            return self._shake_hands()
        if self._reads_when_writable:
            self._reads_when_writable = False
            if not self._is_deaf():
                self.startReading()
        return super().doWrite()

    def writeSomeData(self, data: Any) -> Any:
        """Encrypt and send the first part of ``data``; how much has left (``FileDescriptor``).

        0 where the socket has taken but a part: OpenSSL knows which, and wants the same again.
        """
        if not data or self._tls is None:
            return 0
        try:
            return self._tls.send(memoryview(data)[:LARGEST_WRITE])
        except SSL.WantWriteError:
            return 0
        except SSL.Error as error:
            return self._failed(error) or 0

    def readConnectionLost(self, reason: Failure) -> None:
        """The client sends no more (``IHalfCloseableDescriptor``)."""
        if self._parting is not None:
            self.connectionLost(reason)
        else:
            super().readConnectionLost(reason)

    def connectionLost(self, reason: Failure) -> None:
        """The connection is over: tell the client where it can be told, and the protocol."""
        if self.disconnected:
            return
        if self._patience is not None and self._patience.active():
            self._patience.cancel()
        if not reason.check(ConnectionAborted):
            with suppress(SSL.Error):
                self._close()
        super().connectionLost(reason)
        self._tls = None

    def _shake_hands(self) -> Exception | None:
        """Go on with the handshake as far as the socket lets us."""
        assert self._tls is not None  # noqa: S101 - it is connected
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            self.stopWriting()
        except SSL.WantWriteError:
            self.startWriting()
        except SSL.Error as error:
            return self._failed(error)
        else:
            self._is_shaking_hands = False
            self._begin()
        return None

    def _begin(self) -> None:
        """The handshake is over: do what was asked for meanwhile."""
        if self._is_deaf():
            self.stopReading()
        if self._tempDataLen or self.producerPaused or self._writeDisconnecting:
            self.startWriting()
        else:
            self.stopWriting()
        if self.negotiatedProtocol in SILENT:
            self.loseConnection()

    def _is_deaf(self) -> bool:
        """Whether the protocol is to be given nothing."""
        return bool(self._is_paused or self.disconnecting or self._aborting)

    def _receive(self) -> Exception | None:
        assert self._tls is not None  # noqa: S101 - it is connected
        try:
            data = self._tls.recv(RECORD)
        except SSL.WantReadError:
            return None
        except SSL.WantWriteError:  # it owes the client an answer of TLS's own first
            self._reads_when_writable = True
            self.stopReading()
            self.startWriting()
            return None
        except SSL.Error as error:
            return self._failed(error)
        self.protocol.dataReceived(data)
        return None

    def _failed(self, error: SSL.Error) -> Exception | None:
        """What ``error`` means for the connection; None where it goes on, to its end."""
        if isinstance(error, SSL.ZeroReturnError):
            return CONNECTION_DONE
        self._has_closed = True  # OpenSSL must not be asked to, after an error
        if isinstance(error, SSL.SysCallError):
            return CONNECTION_LOST
        self._part(error)  # OpenSSL has sent the alert
        return None

    def _postLoseConnection(self) -> Exception | None:
        """All has left after ``loseConnection`` (``FileDescriptor``)."""
        try:
            is_mutual = self._close()
        except SSL.WantWriteError:
            self.startWriting()
            return None
        except SSL.Error:
            return CONNECTION_LOST
        if is_mutual:
            return CONNECTION_DONE
        self._part(CONNECTION_DONE)
        return None

    def _closeWriteConnection(self) -> None:
        """All has left after ``loseWriteConnection`` (``FileDescriptor``)."""
        try:
            self._close()
        except SSL.WantWriteError:
            self.startWriting()
            return
        except SSL.Error:
            pass  # the reading end is told
        super()._closeWriteConnection()

    def _close(self) -> bool:
        """Tell the client that no more comes (close_notify), once; whether it said so, too."""
        if self._tls is None or self._has_closed or self._is_shaking_hands:
            return False
        is_mutual = self._tls.shutdown()
        self._has_closed = True  # a second call would read, and lose what it reads
        return is_mutual

    def _part(self, reason: Exception) -> None:
        """Send no more, and read what comes unseen until the client closes.

        What is written meanwhile stays in the buffer: so its producer is paused as ever.
        """
        self._parting = reason
        self.disconnecting = True
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
        self.stopWriting()
        self.startReading()
        reactor: Any = self.reactor
        self._patience = reactor.callLater(PARTING, self.connectionLost, Failure(reason))

    def _discard(self) -> Exception | None:
        try:
            data = self.socket.recv(self.bufferSize)
        except BlockingIOError:
            return None
        except OSError:
            return self._parting
        return None if data else self._parting


class TLSSocket(KernelSocket):
    """The same way for a ``TLSServer``: what is read of a file is encrypted on the spot."""

    def __init__(self, transport: TLSServer) -> None:
        super().__init__(transport)
        self._now: Callable[[], float] = cast(Any, transport.reactor).seconds
        self._step = FIRST_WRITE
        self._taken = 0
        self._since: float | None = None

    def send_file(self, fd: int, position: int, count: int) -> int | None:
        """Send ``count`` bytes, or what the socket takes now; some of it may be buffered.

        As ``KernelSocket.send_file``. The bytes should be in the kernel's memory.
        """
        if not self._transport.connected:
            return None
        sent = 0
        while sent < count:
            data = os.pread(fd, min(self._step, count - sent), position + sent)
            if not data:
                break
            sent += len(data)
            if not self._transport.write_now(data):
                self._is_full()
                break
            self._taken += len(data)
        return sent

    def _is_full(self) -> None:
        """The socket takes no more: how much it took since that was last so tells the pace."""
        now = self._now()
        if self._since is not None:
            pace = self._taken / max(now - self._since, 0.001)
            self._step = min(max(int(pace * WRITE_AHEAD), RECORD), LARGEST_WRITE)
        self._since, self._taken = now, 0


def file_socket(transport: object) -> KernelSocket | None:
    """The way for files past the buffers of ``transport``; None where it is no socket's."""
    if isinstance(transport, TLSServer):
        return TLSSocket(transport)
    return KernelSocket(transport) if isinstance(transport, Connection) else None
