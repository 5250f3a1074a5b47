"""From a file to a socket without a way through this process: sendfile(2), in fair turns."""

from __future__ import annotations

import os
import socket
from typing import Any, Final, cast

from twisted.internet.interfaces import IConsumer
from zope.interface import Interface

__all__ = ["IKernelConsumer", "KernelSocket", "socket_of"]

_CORKED: Final = getattr(socket, "TCP_CORK", None)


class IKernelConsumer(Interface):
    """An ``IConsumer`` whose bytes may reach its socket past its own buffers."""

    def kernel_socket() -> KernelSocket | None:
        """The socket, or None where there is none, or the body is sent in chunks."""

    def sent_by_kernel(count: int) -> None:
        """So many bytes of the body have gone that way."""


class KernelSocket:
    """The socket of ``transport``, a Twisted TCP connection with a streaming producer.

    The producer is told to pause, as if the transport's buffer were full, and resumed when the
    socket takes more: in the reactor's own order, so connections share fairly.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def wait(self) -> None:
        """Pause the producer until all that the transport holds has left, and there is room."""
        transport = self._transport
        transport.producerPaused = True
        transport.producer.pauseProducing()
        transport.startWriting()

    def send_file(self, fd: int, position: int, count: int) -> int | None:
        """Send what the socket takes now; how much that was, None where it takes nothing.

        Only after ``wait``, with nothing written since. 0: the file ends at ``position``. A
        connection that is lost takes nothing: the reactor is about to tell. Raises ``OSError``
        where the file can't be sent so.
        """
        if not self._transport.connected:
            return None
        try:
            return os.sendfile(self._transport.fileno(), fd, position, count)
        except (BlockingIOError, ConnectionError):
            return None

    def cork(self, is_corked: bool) -> None:
        """Whether the kernel waits for full packets: headers and body share the first."""
        if _CORKED is not None and self._transport.connected:
            self._transport.socket.setsockopt(socket.IPPROTO_TCP, _CORKED, is_corked)


def socket_of(consumer: IConsumer) -> KernelSocket | None:
    """The way past ``consumer``'s buffers, if it has one."""
    if not IKernelConsumer.providedBy(consumer):
        return None
    found: KernelSocket | None = cast(Any, consumer).kernel_socket()
    return found
