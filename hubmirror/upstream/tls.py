"""TLS towards upstreams: whom to trust, whose certificate it must be, and a prompt end."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Final, cast

from OpenSSL import SSL
from OpenSSL.crypto import X509, X509StoreFlags
from service_identity import CertificateError, VerificationError
from service_identity.pyopenssl import verify_hostname, verify_ip_address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.internet.ssl import CertificateOptions, platformTrust
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from hubmirror.errors import UpstreamFailure
from hubmirror.upstream.guard import is_literal
from hubmirror.upstream.prelude import Prelude

__all__ = ["TLSEndpoint", "client_context"]

#: OpenSSL's verification errors (x509_vfy.h), in plain words.
_WRONG_WITH_IT: Final = {
    9: "it is not valid yet",
    10: "it has expired",
    18: "it is self-signed",
    23: "it has been revoked",
    26: "it is not meant for servers",
}
#: All of these mean that no chain leads to an authority that is trusted.
_UNKNOWN_ISSUER: Final = frozenset((2, 19, 20, 21, 27))


def client_context(upstream_ca: Path | None) -> SSL.Context:
    """What all upstream connections share: TLS 1.2 or newer, the platform's trust, and the

    PEM bundle ``upstream_ca`` beside it. Loading the platform's store takes milliseconds, so
    this is called once. Raises ``ValueError`` when the bundle cannot be read.
    """
    context: SSL.Context = CertificateOptions(trustRoot=platformTrust()).getContext()
    if upstream_ca is not None:
        try:
            context.load_verify_locations(str(upstream_ca))
        except SSL.Error:
            raise ValueError(f"{upstream_ca} is not a readable PEM file of certificates") from None
    # As curl and Go have it: what the bundle holds is trusted, if it is no root either.
    store = context.get_cert_store()
    if store is not None:
        store.set_flags(X509StoreFlags.PARTIAL_CHAIN)
    context.set_verify(SSL.VERIFY_PEER, _note_what_is_wrong)
    return context


@implementer(IStreamClientEndpoint)
class TLSEndpoint:
    """Speaks TLS over what ``endpoint`` connects to, which must prove to be ``host``.

    It has connected when the certificate is verified, so nothing is said to a stranger.
    Connecting fails with an ``UpstreamFailure`` in plain words when TLS or the certificate is
    wrong, and as the connection does when that ends meanwhile.
    """

    def __init__(
        self, reactor: Any, endpoint: IStreamClientEndpoint, context: SSL.Context, host: str
    ) -> None:
        self._reactor = reactor
        self._endpoint = endpoint
        self._creator = _ConnectionCreator(context, host)
        self._host = host

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """See ``IStreamClientEndpoint``."""
        prelude = Factory.forProtocol(partial(_Handshake, protocolFactory, self._host))
        factory = TLSMemoryBIOFactory(self._creator, True, prelude, self._reactor)
        factory.protocol = _PromptTLS
        return self._endpoint.connect(factory).addCallback(_established)


def _established(tls: IProtocol) -> Deferred[IProtocol]:
    return cast(_Handshake, cast(_PromptTLS, tls).wrappedProtocol).ready


class _PromptTLS(TLSMemoryBIOProtocol):
    """TLS that ends at once.

    An HTTP client that has lost interest in a body calls ``loseConnection`` or
    ``stopProducing``. In TLS the first waits for the peer's own farewell, which comes after
    all the data that nobody wants.
    """

    def loseConnection(self) -> None:
        """End the connection now; what the peer still sends is lost."""
        if self.connected and not self.disconnecting:
            self.abortConnection()

    def stopProducing(self) -> None:
        """The same, as a producer."""
        self.loseConnection()


@implementer(IOpenSSLClientConnectionCreator)
class _ConnectionCreator:
    """Makes the OpenSSL side of each connection to ``host``."""

    def __init__(self, context: SSL.Context, host: str) -> None:
        self._context = context
        self._host = host

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
        connection.set_app_data(tlsProtocol)
        connection.set_alpn_protos([b"http/1.1"])
        if not is_literal(self._host):  # RFC 6066, section 3: no addresses
            connection.set_tlsext_host_name(self._host.rstrip(".").encode("ascii"))
        return connection


@implementer(IHandshakeListener)
class _Handshake(Prelude):
    """Waits until TLS stands, then looks whose certificate it is.

    The name is checked here and not in OpenSSL's callback: that is not called when a session
    is resumed.
    """

    #: What OpenSSL held against the chain, by its number.
    verify_error: int | None = None

    def __init__(self, factory: IProtocolFactory, host: str) -> None:
        super().__init__(factory)
        self._host = host

    def handshakeCompleted(self) -> None:
        """See ``IHandshakeListener``."""
        verify = verify_ip_address if is_literal(self._host) else verify_hostname
        try:
            verify(self.transport.getHandle(), self._host.rstrip("."))
        except (CertificateError, VerificationError):
            self.give_up(self._untrusted("it is for another name"))
        except Exception:  # what parsers make of a hostile certificate, or of an odd name
            self.give_up(self._untrusted("it cannot be read"))
        else:
            self.hand_over()

    def preludeLost(self, reason: Failure) -> Failure:
        if self.verify_error in _UNKNOWN_ISSUER:
            return self._untrusted("no authority that is trusted has issued it")
        if self.verify_error is not None:
            return self._untrusted(_WRONG_WITH_IT.get(self.verify_error, "it does not verify"))
        if not reason.check(SSL.Error):
            return reason
        return Failure(UpstreamFailure(f"{self._host} does not speak TLS{_why(reason.value)}"))

    def _untrusted(self, why: str) -> Failure:
        return Failure(UpstreamFailure(f"the certificate of {self._host} is not trusted: {why}"))


def _note_what_is_wrong(
    connection: SSL.Connection, _certificate: X509, number: int, _depth: int, ok: int
) -> bool:
    """OpenSSL's verification callback: its verdict stands, and the reason is kept."""
    if not ok:
        connection.get_app_data().wrappedProtocol.verify_error = number
    return bool(ok)


def _why(error: BaseException | None) -> str:
    """OpenSSL's own short words for an error, ` (wrong version number)`, where it has any."""
    queue = error.args[0] if error is not None and error.args else ()
    return f" as it should ({queue[-1][2]})" if isinstance(queue, list) and queue else ""
