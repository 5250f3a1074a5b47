"""TLS for the Hub, from a certificate's files."""

from __future__ import annotations

from attrs import frozen
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLContextFactory
from zope.interface import implementer

__all__ = ["ChainFiles"]


@implementer(IOpenSSLContextFactory)
@frozen
class ChainFiles:
    """Server contexts with the chain and the key that these PEM files hold, read at once."""

    _context: SSL.Context

    @classmethod
    def read(cls, certificate: str, private_key: str) -> ChainFiles:
        """Read the files; raises ``OpenSSL.SSL.Error`` where they are no such pair."""
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.use_certificate_chain_file(certificate)
        context.use_privatekey_file(private_key)
        context.check_privatekey()
        return cls(context)

    def getContext(self) -> SSL.Context:
        return self._context
