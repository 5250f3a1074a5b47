"""TLS of which many records are decrypted in one go: what each costs on its own adds up."""

from __future__ import annotations

from typing import Any, Final

from OpenSSL import SSL
from OpenSSL._util import ffi, lib

__all__ = ["RECORD", "BulkConnection"]

#: The most that one record holds, in bytes (RFC 8446, section 5.1).
RECORD: Final = 16 * 1024
#: What one ``recv`` returns at most. More would leave the processor's cache before it is used.
_ROOM: Final = 272 * 1024

# As pyOpenSSL does: what is written over is not cleared first.
_allocate: Final[Any] = ffi.new_allocator(should_clear_after_alloc=False)


class BulkConnection(SSL.Connection):
    """A connection in memory whose ``recv`` returns many records, where ``is_bulk`` says so.

    It is for bodies: who parses lines may copy the rest of what came for each of them.
    """

    is_bulk = False
    _failure: SSL.Error | None = None

    def recv(self, bufsiz: int, flags: int | None = None) -> bytes:
        """In bulk some hundred KiB at most, whatever ``bufsiz``. Raises as ``SSL.Connection`` does.

        An error behind bytes that are good is raised at the next call.
        """
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        if not self.is_bulk:
            return super().recv(bufsiz, flags)
        buffer = _allocate("char[]", _ROOM)
        read, ssl, filled, count = lib.SSL_read, self._ssl, 0, 1
        while count > 0 and filled <= _ROOM - RECORD:
            count = read(ssl, buffer + filled, RECORD)
            filled += max(0, count)
        if count <= 0:
            self._check(count, filled)
        data: bytes = ffi.buffer(buffer, filled)[:]
        return data

    def _check(self, count: int, filled: int) -> None:
        """Why there is no more: raise it, or keep it for later where something has come."""
        try:
            self._raise_ssl_error(self._ssl, count)
        except SSL.WantReadError:
            if not filled:
                raise
        except SSL.Error as error:
            if not filled:
                raise
            self._failure = error
