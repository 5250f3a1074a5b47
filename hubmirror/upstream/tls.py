"""TLS towards upstreams: whom to trust, whose certificate it must be, and a prompt end."""

from __future__ import annotations

from collections.abc import Callable
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
from hubmirror.upstream.bulk import BulkConnection
from hubmirror.upstream.guard import is_literal
from hubmirror.upstream.prelude import Prelude
from hubmirror.upstream.sessions import Sessions, TakenUp

__all__ = ["TLSEndpoint", "client_context"]

#: The most bytes of one read. What a blob costs goes with the number of reads: here more than where
#: nothing is to be decrypted.
_READ: Final = 512 * 1024
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
    options = CertificateOptions(trustRoot=platformTrust(), enableSessionTickets=True)
    context: SSL.Context = options.getContext()
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
    """Speaks TLS over what ``endpoint`` connects to ``port`` of, which must prove to be ``host``.

    It has connected when the certificate is verified, so nothing is said to a stranger; one of
    ``sessions``, which are this context's, is taken up where the host lets us, else all is
    verified anew. Connecting fails with an ``UpstreamFailure`` in plain words when TLS or the
    certificate is wrong, and as the connection does when that ends meanwhile.
    """

    def __init__(
        self,
        reactor: Any,
        endpoint: IStreamClientEndpoint,
        context: SSL.Context,
        sessions: Sessions,
        host: str,
        port: int,
    ) -> None:
        self._reactor = reactor
        self._endpoint = endpoint
        self._context = context
        self._sessions = sessions
        self._host = host
        self._place = (host, port)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """See ``IStreamClientEndpoint``."""
        return self._attempt(protocolFactory, self._sessions.take(self._place))

    def _attempt(
        self, protocol_factory: IProtocolFactory, former: TakenUp | None
    ) -> Deferred[IProtocol]:
        def keep(connection: SSL.Connection) -> None:
            self._sessions.keep(self._place, connection, former)

        def afresh(failure: Failure) -> Failure | Deferred[IProtocol]:
            if former is None or not failure.check(UpstreamFailure):
                return failure
            return self._attempt(protocol_factory, None)

        creator = _ConnectionCreator(self._context, self._host, former)
        prelude = Factory.forProtocol(partial(_Handshake, protocol_factory, self._host, keep))
        factory = TLSMemoryBIOFactory(creator, True, prelude, self._reactor)
        factory.protocol = _PromptTLS
        connecting = self._endpoint.connect(factory)
        return connecting.addCallback(lambda tls: _established(tls).addErrback(afresh))


def _established(tls: IProtocol) -> Deferred[IProtocol]:
    cast(Any, tls).transport.bufferSize = _READ
    return cast(_Handshake, cast(_PromptTLS, tls).wrappedProtocol).ready


class _PromptTLS(TLSMemoryBIOProtocol):
    """TLS that ends at once.

    An HTTP client that has lost interest in a body calls ``loseConnection`` or
    ``stopProducing``. In TLS the first waits for the peer's own farewell, which comes after
    all the data that nobody wants.
    """

    def write(self, data: bytes) -> None:
        """Send a request (``ITransport``); its answer begins with lines."""
        self._expect(is_bulk=False)
        super().write(data)

    def resumeProducing(self) -> None:
        """The answer's body is wanted, after its head or a pause (``IPushProducer``)."""
        self._expect(is_bulk=True)
        cast(Any, self.transport).resumeProducing()

    def loseConnection(self) -> None:
        """End the connection now; what the peer still sends is lost."""
        if self.connected and not self.disconnecting:
            self.abortConnection()

    def stopProducing(self) -> None:
        """The same, as a producer."""
        self.loseConnection()

    def _expect(self, *, is_bulk: bool) -> None:
        connection: BulkConnection | None = self.getHandle()
        if connection is not None:  # it is not lost
            connection.is_bulk = is_bulk


@implementer(IOpenSSLClientConnectionCreator)
class _ConnectionCreator:
    """Makes the OpenSSL side of each connection to ``host``."""

    def __init__(self, context: SSL.Context, host: str, former: TakenUp | None) -> None:
        self._context = context
        self._host = host
        self._former = former

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        connection = BulkConnection(self._context, None)
        connection.set_app_data(tlsProtocol)
        connection.set_alpn_protos([b"http/1.1"])
        if not is_literal(self._host):  # RFC 6066, section 3: no addresses
            connection.set_tlsext_host_name(self._host.rstrip(".").encode("ascii"))
        if self._former is not None:
            connection.set_session(self._former.session)
        return connection


@implementer(IHandshakeListener)
class _Handshake(Prelude):
    """Waits until TLS stands, then looks whose certificate it is.

    The name is checked here and not in OpenSSL's callback: that is not called when a session
    is resumed.
    """

    #: What OpenSSL held against the chain, by its number.
    verify_error: int | None = None

    def __init__(
        self,
        factory: IProtocolFactory,
        host: str,
        keep: Callable[[SSL.Connection], None],
    ) -> None:
        super().__init__(factory)
        self._host = host
        self._keep: Callable[[SSL.Connection], None] | None = keep

    def dataReceived(self, data: bytes) -> None:
        """See ``IProtocol``; the server's tickets have come before its first bytes."""
        keep, self._keep = self._keep, None
        if keep is not None and self._successor is not None:
            keep(self.transport.getHandle())
        super().dataReceived(data)

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
