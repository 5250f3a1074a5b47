"""The client's side of TLS that need not decipher what it reads.

Deciphering costs about what enciphering does: a client that did it would be the limit, not who
is measured.
"""

from __future__ import annotations

import socket

from OpenSSL import SSL

__all__ = ["CIPHER", "SecureSocket", "ciphered"]

#: What all peers must speak: they would choose differently, and not all ciphers cost the same.
CIPHER = "TLS_AES_128_GCM_SHA256"
#: RFC 8446, section 5: a record's header, the most that it holds, and what it adds to that: the
#: header, a byte for the type of what is in it, and the cipher's tag.
_HEADER, _RECORD, _ADDED = 5, 16 * 1024, 22
_ENOUGH = 1 << 16


def ciphered(length: int) -> int:
    """How many bytes ``length`` bytes are in records that are as full as can be."""
    return length + _ADDED * -(-length // _RECORD)


class SecureSocket:
    """TLS 1.3 on a connected socket that blocks, whose peer's certificate is not verified."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._tls = SSL.Connection(_context(), None)
        self._tls.set_connect_state()
        while True:
            try:
                self._tls.do_handshake()
            except SSL.WantReadError:
                self._flush()
                self._take_record()
            else:
                break
        self._flush()

    def sendall(self, data: bytes) -> None:
        """Encipher and send."""
        self._tls.sendall(data)
        self._flush()

    def recv(self) -> bytes:
        """What is in the next record that holds data. No byte behind it is taken of the socket.

        Raises ``RuntimeError`` where the connection ends before.
        """
        while True:
            try:
                return self._tls.recv(_ENOUGH)
            except SSL.WantReadError:
                self._take_record()
            except SSL.Error as error:
                raise RuntimeError(f"no answer but {error!r}") from error

    def _take_record(self) -> None:
        header = self._take(_HEADER)
        self._tls.bio_write(header + self._take(int.from_bytes(header[3:5], "big")))

    def _take(self, length: int) -> bytes:
        taken = self._socket.recv(length, socket.MSG_WAITALL)
        if len(taken) < length:
            raise RuntimeError("the connection ends within a record of TLS")
        return taken

    def _flush(self) -> None:
        try:
            while True:
                self._socket.sendall(self._tls.bio_read(_ENOUGH))
        except SSL.WantReadError:
            pass


def _context() -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.set_tls13_ciphersuites(CIPHER.encode())
    context.set_verify(SSL.VERIFY_NONE)
    return context
