"""A server's TLS connection whose certificate depends on what the client says first.

OpenSSL's own callbacks come too late: a context that is changed while it reads the ClientHello
crashes the process where TLS is 1.2. So the bytes are looked at in the kernel, and left there.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Final

from OpenSSL import SSL

from hubmirror.certificates.client_hello import (
    HEADER,
    ClientHello,
    NotClientHello,
    parse_client_hello,
    record_size,
)

__all__ = ["Choose", "PeekingConnection"]

#: Another context for a client, or None for the one there is.
Choose = Callable[[ClientHello], "SSL.Context | None"]

#: How often more bytes are waited for: for the header, and for what follows.
_WAITS: Final = 2


class PeekingConnection(SSL.Connection):
    """Asks ``choose`` before the handshake begins; what can't be read is OpenSSL's to refuse."""

    def __init__(self, context: SSL.Context, connected: socket.socket, choose: Choose) -> None:
        super().__init__(context, connected)
        self._peeked: socket.socket | None = connected
        self._choose = choose
        self._waits = 0

    def do_handshake(self) -> None:
        """As ever, but the client's first record must be there: ``WantReadError`` until then."""
        if self._peeked is not None:
            hello = self._peek(self._peeked)
            self._peeked = None
            context = None if hello is None else self._choose(hello)
            if context is not None:
                self.set_context(context)
                # Who looks at a proof has no certificate to show; and it is told nothing else.
                self.set_verify(SSL.VERIFY_NONE)
        super().do_handshake()

    def _peek(self, connected: socket.socket) -> ClientHello | None:
        try:
            size = record_size(self._seen(connected, HEADER))
            return parse_client_hello(self._seen(connected, size))
        except NotClientHello:
            return None

    def _seen(self, connected: socket.socket, size: int) -> bytes:
        """The first ``size`` bytes, or fewer where no more will come.

        Until they are there, the socket does not tell that it has any: else the reactor would
        ask again and again.
        """
        try:
            data = connected.recv(size, socket.MSG_PEEK)
        except BlockingIOError:
            raise SSL.WantReadError from None
        except OSError:
            raise NotClientHello from None
        is_enough = len(data) >= size or not data or self._waits == _WAITS
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1 if is_enough else size)
        if not is_enough:
            self._waits += 1
            raise SSL.WantReadError
        return data
