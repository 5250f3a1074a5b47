"""The HTTP server: connections counted and limited, every request logged on one line."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from ipaddress import ip_address
from typing import Any, cast
from urllib.parse import urlsplit

from attrs import field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime, ITCPTransport
from twisted.internet.protocol import Protocol
from twisted.logger import LogEvent, Logger, LogLevel
from twisted.python.failure import Failure
from twisted.web.http import Request as TwistedRequest
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from hubmirror.coordination.connections import Connections, IConnections
from hubmirror.errors import RegistryError, TooManyRequests, Unavailable
from hubmirror.quota.spender import address_key
from hubmirror.registry.api import Api
from hubmirror.registry.channel import LINGER, Limits, MirrorChannel
from hubmirror.registry.deadlines import Deadlines
from hubmirror.registry.forwarded import Network, parse_host
from hubmirror.registry.quick import QuickWay
from hubmirror.registry.redirecting import HttpsRedirect
from hubmirror.registry.request import MirrorRequest
from hubmirror.registry.responses import COMMON_HEADERS, raw_response
from hubmirror.registry.root import Root
from hubmirror.registry.shedding import Shedding

__all__ = ["Frontage", "MirrorSite"]


@frozen
class Frontage:
    """How this mirror is reached: which peers are proxies, and its names, if it was told.

    ``registry_hosts`` are those that lead to one of its registries. ``redirect`` is where
    plain HTTP is sent to; None: it is served. ``certificate_user`` tells whose the certificate is
    that a client shows, where they are asked for one.
    """

    trusted_proxies: tuple[Network, ...] = ()
    public_url: str | None = None
    host_names: frozenset[str] = field(default=frozenset({"localhost"}))
    registry_hosts: frozenset[str] = frozenset()
    redirect: HttpsRedirect | None = None
    certificate_user: Callable[[object], str | None] | None = None

    @property
    def names(self) -> frozenset[str]:
        """The names that are surely this mirror's, without ports."""
        url = urlsplit(self.public_url or "")
        return self.host_names | ({url.hostname} if url.hostname else set())


class MirrorSite(Site):
    """The listening side. ``limits``, ``frontage`` and ``resource`` may be replaced at run time.

    ``connections`` counts them; others may count theirs there, too, and limits hold for all.
    """

    noisy = False

    def __init__(
        self,
        resource: IResource,
        reactor: IReactorTime,
        *,
        limits: Limits,
        frontage: Frontage,
        connections: IConnections | None = None,
    ) -> None:
        super().__init__(resource, requestFactory=MirrorRequest, reactor=reactor)
        self.limits = limits
        self.frontage = frontage
        self.quick = QuickWay()
        self.shedding = Shedding(reactor)
        self.deadlines = Deadlines(reactor)
        self.is_draining = False
        self._channels: set[MirrorChannel] = set()
        self._counted = connections or Connections()
        self._drained: Deferred[None] | None = None
        self._log = Logger(namespace="access")

    def startFactory(self) -> None:
        """It is listened for the site. The access log is ours, not Twisted's."""
        self.shedding.start()

    def stopFactory(self) -> None:
        """It is not any more."""
        self.shedding.stop()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        host = str(getattr(addr, "host", ""))
        refusal = self._refusal(host)
        if refusal is not None:
            self.log_refusal(host, refusal)
            return _Refused(raw_response(refusal), self.reactor.callLater)
        return MirrorChannel(self)

    def acceptableProtocols(self) -> list[bytes]:
        """What ALPN may choose: the TLS context says the same."""
        return [b"http/1.1"]

    def getResourceFor(self, request: Request) -> IResource:
        for name, value in COMMON_HEADERS:
            request.setHeader(name, value)
        found: IResource = super().getResourceFor(request)
        return found

    @property
    def api(self) -> Api | None:
        """Who may be asked without the tree of resources."""
        return self.resource.api if isinstance(self.resource, Root) else None

    def is_own_authority(self, authority: str, local: str) -> bool:
        """Whether a request's absolute target names this server (RFC 9112, section 3.2.2).

        ``local`` is the authority of the connection's own end. Only names that are surely ours
        count: a proxy's client could put any other name into ``Host``, too.
        """
        host = parse_host(authority)
        if host is None:
            return False
        if self.frontage.public_url is not None:
            _, _, public = self.frontage.public_url.partition("://")
            if host == public.lower():
                return True
        port = local.rpartition(":")[2]
        own = {*self.frontage.host_names, local.rpartition(":")[0]}
        return host in own or host in {f"{name}:{port}" for name in own}

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._channels)

    def connected(self, channel: MirrorChannel) -> None:
        """A connection has begun."""
        self._channels.add(channel)
        self._counted.opened(address_key(channel.peer_host()))

    def disconnected(self, channel: MirrorChannel) -> None:
        """A connection has ended."""
        self._channels.discard(channel)
        self._counted.closed(address_key(channel.peer_host()))
        if self._drained is not None and not self._channels:
            drained, self._drained = self._drained, None
            drained.callback(None)

    def drain(self, grace: float) -> Deferred[None]:
        """Let running answers finish, for ``grace`` seconds at most; the rest is cut.

        An idle connection ends behind one more answer, as its client may just be asking, or else
        a moment later. Fires when the last connection is gone.
        """
        self.is_draining = True
        done: Deferred[None] = Deferred()
        self._drained = done
        for channel in list(self._channels):
            channel.last_call()
        if not self._channels:
            self._drained = None
            done.callback(None)
        cut = self.reactor.callLater(grace, self.cut)

        def finished(_: None) -> None:
            if cut.active():
                cut.cancel()

        return done.addCallback(finished)

    def dismiss(self, ports: Collection[object]) -> None:
        """End the connections that ``ports``, which listen no more, have accepted: as ``drain``

        does, but each takes what time it needs.
        """
        for channel in list(self._channels):
            if channel.came_by(ports):
                channel.last_call()

    def log(self, request: TwistedRequest) -> None:
        """Nothing: ``MirrorRequest`` says when it is over, also when the client has gone."""

    def log_request(self, fields: dict[str, object]) -> None:
        """The one line of a request; ``fields`` in their order."""
        # As Logger.info would, which first looks through all levels whether this is one.
        event: LogEvent = {
            "log_level": LogLevel.info,
            "log_namespace": self._log.namespace,
            "log_format": "request",
            "log_time": time.time(),
            "access": fields,
        }
        self._log.observer(event)

    def log_refusal(self, client: str, error: RegistryError) -> None:
        """The line of a connection on which no request could be served."""
        self.log_request({"client": client, "status": error.status, "why": error.message})

    def _refusal(self, host: str) -> RegistryError | None:
        if self.is_draining or self._counted.total() >= self.limits.max_connections:
            return Unavailable(
                "the mirror has too many connections open", headers={"Retry-After": "1"}
            )
        if not host or self._is_proxy(host):
            return None
        if self._counted.of(address_key(host)) >= self.limits.max_connections_per_client:
            return TooManyRequests(
                "this client has too many connections open", headers={"Retry-After": "1"}
            )
        return None

    def _is_proxy(self, host: str) -> bool:
        trusted = self.frontage.trusted_proxies
        return bool(trusted) and any(ip_address(host) in network for network in trusted)

    def cut(self) -> None:
        """End every connection, at once."""
        for channel in list(self._channels):
            channel.forceAbortClient()


class _Refused(Protocol):
    """Says why, reads nothing, hangs up."""

    def __init__(self, response: bytes, call_later: Callable[..., IDelayedCall]) -> None:
        self._response = response
        self._call_later = call_later
        self._hang_up: IDelayedCall | None = None

    def connectionMade(self) -> None:
        transport = cast(ITCPTransport, self.transport)
        self._hang_up = self._call_later(LINGER, transport.abortConnection)
        transport.write(self._response)
        transport.loseConnection()

    def connectionLost(self, reason: Failure | None = None) -> None:  # noqa: ARG002
        if self._hang_up is not None and self._hang_up.active():
            self._hang_up.cancel()
