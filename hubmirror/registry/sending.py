"""Bytes to a client: at once where its socket takes them, else when it does."""

from __future__ import annotations

from typing import Any

from twisted.internet.tcp import Connection

__all__ = ["send_now"]


def send_now(transport: Any, data: bytes) -> None:
    """Write ``data``: past the buffer of a TCP transport that holds nothing, else by ``write``.

    That spares the reactor's turn in which the socket would be found writable. What goes wrong
    is found by the write of the rest, in that turn.
    """
    sent = 0
    if isinstance(transport, Connection) and _is_clear(transport):
        taken = transport.writeSomeData(data)
        sent = taken if isinstance(taken, int) and taken > 0 else 0
    if sent < len(data):
        transport.write(data[sent:])


def _is_clear(transport: Any) -> bool:
    """Whether nothing is to leave before: neither bytes nor the end of them."""
    return bool(transport.connected) and not (
        transport.TLS
        or transport.dataBuffer
        or transport._tempDataBuffer
        or transport.disconnecting
        or transport._writeDisconnecting
    )
