"""The server side of TLS, with a certificate that can be swapped while listening."""

from __future__ import annotations

import socket
from collections.abc import Hashable

from cryptography.x509 import Certificate
from OpenSSL import SSL

from hubmirror.certificates.clients import ClientAuthorities
from hubmirror.certificates.context import server_context
from hubmirror.certificates.files import KeyPair
from hubmirror.certificates.peeking import Choose, PeekingConnection
from hubmirror.certificates.sources import ICertificateSource

__all__ = ["ServerTLS"]


class ServerTLS:
    """Gives each new connection the certificate in force; older connections keep theirs.

    ``clients`` are whose certificates clients are asked for, if they are asked at all.
    Raises ``CertificateError`` when the first pair can't be used.
    """

    def __init__(
        self, source: ICertificateSource, clients: ClientAuthorities | None = None
    ) -> None:
        self._source = source
        self._clients = clients
        # Taken before the files are read: a change in between is then seen as one.
        self._stamp = _stamp(source, clients)
        self._pair = source.load()
        self._authorities = None if clients is None else clients.load()
        self._context = _context(self._pair, clients, self._authorities)

    @property
    def pair(self) -> KeyPair:
        """The pair in force."""
        return self._pair

    def secure(self, connected: socket.socket, choose: Choose | None = None) -> SSL.Connection:
        """The server's side of TLS on ``connected``, which shakes hands when it is asked to.

        ``choose`` may have another context for what the client says first.
        """
        connection = (
            SSL.Connection(self._context, connected)
            if choose is None
            else PeekingConnection(self._context, connected, choose)
        )
        connection.set_accept_state()
        return connection

    def changed(self) -> bool:
        """Whether the source looks other than when it was last read, with success or not."""
        return bool(_stamp(self._source, self._clients) != self._stamp)

    def reload(
        self, source: ICertificateSource | None = None, clients: ClientAuthorities | None = None
    ) -> bool:
        """Read the certificate again, from another ``source``, for other ``clients`` if given.

        Returns whether another one is in force now. Raises ``CertificateError`` when it can't
        be used; then everything stays as it was, the source too. The same certificate keeps its
        context: a new one would forget all sessions.
        """
        wanted = self._source if source is None else source
        clients = self._clients if source is None else clients
        stamp = _stamp(wanted, clients)
        if source is None:
            # A pair that fails is not tried again at every check, only when it changes.
            self._stamp = stamp
        pair = wanted.load()
        authorities = None if clients is None else clients.load()
        now, before = (clients, authorities), (self._clients, self._authorities)
        renewed = pair.chain != self._pair.chain or now != before
        if renewed:
            self._context = _context(pair, clients, authorities)
        self._source, self._stamp, self._pair = wanted, stamp, pair
        self._clients, self._authorities = clients, authorities
        return renewed

    def reload_if_changed(self) -> bool:
        """``reload`` where ``changed`` says so: for a periodic check."""
        return self.changed() and self.reload()


def _stamp(source: ICertificateSource, clients: ClientAuthorities | None) -> Hashable:
    return source.stamp(), None if clients is None else clients.stamp()


def _context(
    pair: KeyPair,
    clients: ClientAuthorities | None,
    authorities: tuple[Certificate, ...] | None,
) -> SSL.Context:
    context = server_context(pair)
    if clients is not None and authorities is not None:
        clients.ask(context, authorities)
    return context
