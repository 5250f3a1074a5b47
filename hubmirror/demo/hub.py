"""A small Docker Hub on loopback: a registry, a token server and a blob host.

The demo runs it in its own process, the tests in theirs, or apart by
``python -m hubmirror.demo``.
"""

from __future__ import annotations

import secrets

from attrs import define, field, frozen
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred, succeed
from twisted.internet.endpoints import SSL4ServerEndpoint, TCP4ServerEndpoint
from twisted.internet.interfaces import (
    IListeningPort,
    IOpenSSLContextFactory,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from hubmirror.demo.accounts import Accounts
from hubmirror.demo.blobhost import BlobRoot
from hubmirror.demo.faults import Faults
from hubmirror.demo.front import Front
from hubmirror.demo.host import Host, HostResource, Received, site
from hubmirror.demo.pulls import PullLimit
from hubmirror.demo.registry import RegistryRoot
from hubmirror.demo.signing import TokenMint, UrlSigner
from hubmirror.demo.store import IStore
from hubmirror.demo.tokens import TokenResource, TokenServer

__all__ = ["Hub", "HubFaults", "HubSettings"]

_LOOPBACK = "127.0.0.1"


@frozen
class HubSettings:
    """What one Hub does otherwise than another.

    ``name`` stands in URLs and must lead to loopback. Ports: 0 takes a free one. Lifetimes are
    in seconds.
    """

    name: str = _LOOPBACK
    registry_port: int = 0
    #: The URLs of blobs are good for a GET, and a HEAD gets 403.
    sign_for_get_only: bool = False
    url_lifetime: float = 300
    token_lifetime: int = 300
    pull_limit: int = 100
    is_pull_limit_enforced: bool = False


@frozen
class HubFaults:
    """The faults of each host."""

    registry: Faults
    tokens: Faults
    blobs: Faults

    @property
    def all(self) -> tuple[Faults, ...]:
        """Those of every host."""
        return self.registry, self.tokens, self.blobs


@define
class Hub:
    """The three hosts. ``start`` it before asking for URLs.

    ``context_factory`` (such as ``ChainFiles``) makes all three speak
    TLS. ``requests`` is what all three received, in order.
    """

    _reactor: IReactorTime
    _store: IStore
    _accounts: Accounts = field(factory=Accounts)
    _settings: HubSettings = field(factory=HubSettings)
    _context_factory: IOpenSSLContextFactory | None = None
    requests: list[Received] = field(init=False, factory=list)
    _hosts: dict[str, Host] = field(init=False, factory=dict)
    _listeners: dict[str, _Listener] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        for role in ("registry", "tokens", "blobs"):
            self._hosts[role] = Host(role, self._reactor, self.requests)

    @property
    def faults(self) -> HubFaults:
        """What goes wrong at each host, to be set at any time."""
        return HubFaults(**{role: host.faults for role, host in self._hosts.items()})

    @property
    def registry_url(self) -> str:
        """Scheme and authority of the registry."""
        return self._url("registry")

    @property
    def token_url(self) -> str:
        """The realm: the token server's whole URL."""
        return self._url("tokens") + "/token"

    @property
    def blob_url(self) -> str:
        """Scheme and authority of the blob host."""
        return self._url("blobs")

    @property
    def blob_bytes_sent(self) -> int:
        """Bytes of bodies that the blob host wrote so far."""
        return self._hosts["blobs"].bytes_sent

    def start(self) -> Deferred[None]:
        """Listen; fires when all three hosts accept connections."""
        return Deferred.fromCoroutine(self._start())

    async def _start(self) -> None:
        mint = TokenMint(self._reactor, secrets.token_bytes(32))
        methods = ("GET",) if self._settings.sign_for_get_only else ("GET", "HEAD")
        key = secrets.token_bytes(32)
        signer = UrlSigner(self._reactor, key, methods, self._settings.url_lifetime)
        await self._listen("tokens", self._token_root(mint))
        await self._listen("blobs", BlobRoot(self._hosts["blobs"], self._store, signer))
        front = Front(
            host=self._hosts["registry"],
            store=self._store,
            mint=mint,
            signer=signer,
            pulls=PullLimit(self._settings.pull_limit, self._settings.is_pull_limit_enforced),
            blob_url=self.blob_url,
            realm=self.token_url,
            is_public=lambda name: self._accounts.may_pull(None, name),
        )
        await self._listen("registry", RegistryRoot(front), self._settings.registry_port)

    def stop(self) -> Deferred[None]:
        """Stop listening and cut all connections; fires when the last one is closed."""
        stopping = [listener.stop() for listener in self._listeners.values()]
        self._listeners.clear()
        stopped: Deferred[None] = gatherResults(stopping).addCallback(lambda _all: None)
        return stopped

    def _token_root(self, mint: TokenMint) -> Resource:
        host = self._hosts["tokens"]
        server = TokenServer(self._store, self._accounts, mint, self._settings.token_lifetime)
        root = _Root(host)
        root.putChild(b"token", TokenResource(host, server))
        return root

    async def _listen(self, role: str, root: Resource, port: int = 0) -> None:
        connections = _Connections(site(self._hosts[role], root))
        listening = await self._endpoint(port).listen(connections)
        self._listeners[role] = _Listener(listening, connections)

    def _endpoint(self, port: int) -> IStreamServerEndpoint:
        if self._context_factory is None:
            return TCP4ServerEndpoint(self._reactor, port, interface=_LOOPBACK)
        context_factory = self._context_factory
        return SSL4ServerEndpoint(self._reactor, port, context_factory, interface=_LOOPBACK)

    def _url(self, role: str) -> str:
        scheme = "http" if self._context_factory is None else "https"
        return f"{scheme}://{self._settings.name}:{self._listeners[role].port}"


class _Root(Resource):
    """A host's root, with the registry's JSON errors for paths that are not there."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host

    def getChild(self, _path: bytes, _request: Request) -> Resource:
        return HostResource(self._host)


class _Connections(WrappingFactory):
    """Knows a host's open connections, so that they can be cut."""

    def __init__(self, wrapped: Site) -> None:
        super().__init__(wrapped)
        self._closed: Deferred[None] | None = None

    def cut(self) -> Deferred[None]:
        """Cut all connections; fires when the last one is closed."""
        if not self.protocols:
            return succeed(None)
        self._closed = Deferred()
        for protocol in list(self.protocols):
            protocol.transport.abortConnection()
        return self._closed

    def unregisterProtocol(self, p: ProtocolWrapper) -> None:
        super().unregisterProtocol(p)
        if not self.protocols and self._closed is not None:
            closed, self._closed = self._closed, None
            closed.callback(None)


@frozen
class _Listener:
    """One host's open port and its connections."""

    _port: IListeningPort
    _connections: _Connections

    @property
    def port(self) -> int:
        """The number of the port."""
        address = self._port.getHost()
        assert isinstance(address, IPv4Address)  # noqa: S101 - we listen on IPv4 only
        return address.port

    def stop(self) -> Deferred[None]:
        """Close the port, then the connections."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await maybeDeferred(self._port.stopListening)
        await self._connections.cut()
