"""What a TLS client says first: whom it wants, and which protocols it would speak.

Source: RFC 8446, sections 4.1.2 and 5.1; RFC 6066, section 3; RFC 7301. It is read here for what
must be known before OpenSSL is given it; OpenSSL reads it again, and judges it.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

__all__ = ["HEADER", "ClientHello", "NotClientHello", "parse_client_hello", "record_size"]

#: The bytes of a record's header, and the most that follow it.
HEADER: Final = 5
_LARGEST: Final = 1 << 14

_HANDSHAKE: Final = 22
_CLIENT_HELLO: Final = 1
_SERVER_NAME: Final = 0
_PROTOCOLS: Final = 16
_HOST_NAME: Final = 0


class NotClientHello(Exception):
    """Bytes that are no whole ClientHello in one record."""


@frozen
class ClientHello:
    """``server_name`` is in lower case; "" where none is said."""

    server_name: str
    protocols: tuple[bytes, ...]


def record_size(data: bytes) -> int:
    """How long the record is that ``data`` begins with, its header included.

    As long as the header is not whole, its own length. Raises ``NotClientHello`` where no
    handshake begins so.
    """
    if data[:1] not in (b"", b"\x16") or data[1:2] not in (b"", b"\x03"):
        raise NotClientHello
    if len(data) < HEADER:
        return HEADER
    size = int.from_bytes(data[3:HEADER], "big")
    if not 0 < size <= _LARGEST:
        raise NotClientHello
    return HEADER + size


def parse_client_hello(record: bytes) -> ClientHello:
    """Read a record that holds just that, whole. Raises ``NotClientHello`` for anything else."""
    size = record_size(record)
    if size != len(record) or size == HEADER:
        raise NotClientHello
    message = _Reader(record[HEADER:])
    if message.number(1) != _CLIENT_HELLO:
        raise NotClientHello
    body = message.vector(3)
    message.end()
    return _parse_body(body)


def _parse_body(body: _Reader) -> ClientHello:
    body.take(2 + 32)  # the version, and a random number
    body.vector(1)  # a session's id
    body.vector(2)  # ciphers
    body.vector(1)  # compressions
    extensions: dict[int, _Reader] = {}
    if body.rest:
        several = body.vector(2)
        while several.rest:
            kind = several.number(2)
            if kind in extensions:
                raise NotClientHello
            extensions[kind] = several.vector(2)
    body.end()
    return ClientHello(
        _parse_name(extensions.get(_SERVER_NAME)), _parse_protocols(extensions.get(_PROTOCOLS))
    )


def _parse_name(extension: _Reader | None) -> str:
    if extension is None:
        return ""
    names = extension.vector(2)
    extension.end()
    if names.number(1) != _HOST_NAME:
        raise NotClientHello
    name = names.vector(2).rest
    names.end()
    if not name or not name.isascii():
        raise NotClientHello
    return name.decode("ascii").lower()


def _parse_protocols(extension: _Reader | None) -> tuple[bytes, ...]:
    if extension is None:
        return ()
    several = extension.vector(2)
    extension.end()
    found = []
    while several.rest:
        found.append(several.vector(1).rest)
    if not found or not all(found):
        raise NotClientHello
    return tuple(found)


class _Reader:
    """Bytes that are taken from the front; what is not there is an error."""

    def __init__(self, data: bytes) -> None:
        self.rest = data

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        if len(self.rest) < count:
            raise NotClientHello
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def number(self, size: int) -> int:
        """The next ``size`` bytes, as a number."""
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> _Reader:
        """What stands behind a length of ``size`` bytes."""
        return _Reader(self.take(self.number(size)))

    def end(self) -> None:
        """Nothing may follow."""
        if self.rest:
            raise NotClientHello
