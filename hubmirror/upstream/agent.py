"""The HTTP agent that all upstream traffic goes through: registry, realm and blob hosts alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrs import frozen
from OpenSSL import SSL
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, HTTPConnectionPool
from twisted.web.error import SchemeNotSupported
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IAgentEndpointFactory, IBodyProducer, IResponse
from zope.interface import implementer

from hubmirror.upstream.direct import DirectEndpoint
from hubmirror.upstream.egress import Egress, TunnelEndpoint
from hubmirror.upstream.failures import ConnectTimeout
from hubmirror.upstream.guard import AddressGuard
from hubmirror.upstream.resolver import GuardedResolver
from hubmirror.upstream.sessions import Sessions
from hubmirror.upstream.tls import TLSEndpoint, client_context

__all__ = ["make_agent", "make_pool"]


def make_pool(reactor: Any) -> HTTPConnectionPool:
    """Kept connections: up to 32 a host, a minute each.

    A request that meets a kept connection which the upstream has just closed goes out again on
    a new one, if its method is idempotent.
    """
    pool = HTTPConnectionPool(reactor, persistent=True)
    pool.maxPersistentPerHost = 32
    pool.cachedConnectionTimeout = 60
    pool.retryAutomatically = True
    return pool


def make_agent(
    reactor: Any,
    pool: HTTPConnectionPool,
    *,
    guard: AddressGuard,
    resolver: GuardedResolver,
    egress: Egress | None = None,
    upstream_ca: Path | None = None,
    connect_timeout: float = 10.0,
) -> IAgent:
    """The agent: guarded, verified, proxied, timed, and asking for identity bytes.

    ``connect_timeout``, in seconds, is for the name, TCP, the proxy and TLS together;
    ``reactor`` provides ``IReactorTCP`` and ``IReactorTime``. Raises ``ValueError`` when
    ``upstream_ca`` cannot be read. A request fails with

    - ``UpstreamFailure``, in a sentence, where another attempt would end the same way: the
      guard's ``UpstreamRefused``, a certificate or TLS that is wrong, what a proxy refuses;
    - an error of Twisted's otherwise: ``ConnectError`` (``ConnectTimeout`` is one),
      ``DNSLookupError``, ``ConnectionClosed`` while connecting, then ``ResponseFailed`` and
      its kinds; ``ValueError`` for a URI that is none.

    ``failures.describe_failure`` makes an ``UpstreamFailure`` of any.
    """
    tls = client_context(upstream_ca), Sessions(reactor.seconds)
    routes = _Routes(reactor, guard, resolver, egress, *tls, connect_timeout)
    return _IdentityAgent(Agent.usingEndpointFactory(reactor, routes, pool))


@implementer(IAgent)
@frozen
class _IdentityAgent:
    """Pins ``Accept-Encoding: identity``: digests and lengths are those of the identity bytes.

    It sits beneath treq, which always offers gzip.
    """

    agent: IAgent

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        """See ``IAgent``. All errors come through the Deferred."""
        pinned = Headers() if headers is None else headers.copy()
        pinned.setRawHeaders(b"Accept-Encoding", [b"identity"])
        return maybeDeferred(self.agent.request, method, uri, pinned, bodyProducer)


@implementer(IAgentEndpointFactory)
@frozen
class _Routes:
    """How to reach the host of a URI: directly or through the proxy, in TLS or not."""

    reactor: Any
    guard: AddressGuard
    resolver: GuardedResolver
    egress: Egress | None
    context: SSL.Context
    sessions: Sessions
    connect_timeout: float

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """See ``IAgentEndpointFactory``; raises ``UpstreamRefused`` for a refused name."""
        host = uri.host.decode("ascii").lower()
        if uri.scheme not in (b"http", b"https"):
            raise SchemeNotSupported("only http and https are spoken")
        if not host or "@" in host or not 0 < uri.port < 1 << 16:
            raise ValueError("the URI's host or port is malformed")
        endpoint = self._to(host, uri.port)
        if uri.scheme == b"https":
            tls = self.context, self.sessions
            endpoint = TLSEndpoint(self.reactor, endpoint, *tls, host, uri.port)
        return _Timed(self.reactor, endpoint, self.connect_timeout, host)

    def _to(self, host: str, port: int) -> IStreamClientEndpoint:
        egress = self.egress
        if egress is None or not egress.serves(host, port):
            return DirectEndpoint(self.reactor, self.resolver.permitted, host, port)
        self.guard.check_name(host)
        to_proxy = DirectEndpoint(self.reactor, self.resolver.lookup, egress.host, egress.port)
        return TunnelEndpoint(to_proxy, egress, host, port)


@implementer(IStreamClientEndpoint)
@frozen
class _Timed:
    """One time limit around all that connecting takes."""

    clock: IReactorTime
    endpoint: IStreamClientEndpoint
    seconds: float
    host: str

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """See ``IStreamClientEndpoint``; fails with ``ConnectTimeout``."""
        sentence = f"connecting to {self.host} took longer than {self.seconds:g} s"
        return self.endpoint.connect(protocolFactory).addTimeout(
            self.seconds, self.clock, lambda _result, _seconds: Failure(ConnectTimeout(sentence))
        )
