"""A TCP connection to a host, at addresses that were looked up and judged before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import ip_address
from typing import Any, Final

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IProtocol,
    IProtocolFactory,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from zope.interface import implementer

__all__ = ["DirectEndpoint"]

#: The most bytes of one read; Twisted's default is a quarter of it.
_READ: Final = 256 * 1024

Lookup = Callable[[str], Deferred[tuple[str, ...]]]


@implementer(IStreamClientEndpoint)
class DirectEndpoint:
    """Connects to ``port`` at an address that ``lookup(host)`` gives, and at no other.

    The addresses are raced as ``HostnameEndpoint`` does ("happy eyeballs", RFC 8305).
    Connecting fails as ``lookup`` does, or with a ``ConnectError``.
    """

    def __init__(self, reactor: Any, lookup: Lookup, host: str, port: int) -> None:
        self._reactor = reactor
        self._lookup = lookup
        self._host = host
        self._port = port

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """See ``IStreamClientEndpoint``."""
        return self._lookup(self._host).addCallback(partial(self._race, protocolFactory))

    def _race(self, factory: IProtocolFactory, addresses: tuple[str, ...]) -> Deferred[IProtocol]:
        # The name is not given to HostnameEndpoint: it has nothing to look up any more, and
        # its IDNA would refuse names with an underscore, which private networks have.
        reactor = _Resolved(self._reactor, [_address(text, self._port) for text in addresses])
        endpoint = HostnameEndpoint(reactor, addresses[0], self._port)
        return endpoint.connect(factory).addCallback(_reading_more)


@implementer(IReactorPluggableNameResolver, IHostnameResolver, IHostResolution)
class _Resolved:
    """A reactor whose name resolver gives the addresses that are known already."""

    def __init__(self, reactor: Any, addresses: Sequence[IAddress]) -> None:
        self._reactor = reactor
        self._addresses = addresses
        self.nameResolver = self
        self.name = ""

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,  # noqa: ARG002
        portNumber: int = 0,  # noqa: ARG002
        addressTypes: Sequence[type[IAddress]] | None = None,  # noqa: ARG002
        transportSemantics: str = "TCP",  # noqa: ARG002
    ) -> IHostResolution:
        resolutionReceiver.resolutionBegan(self)
        for address in self._addresses:
            resolutionReceiver.addressResolved(address)
        resolutionReceiver.resolutionComplete()
        return self

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:
        raise NotImplementedError

    def cancel(self) -> None:
        """There is nothing to cancel."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)


def _reading_more(protocol: IProtocol) -> IProtocol:
    # What a blob costs goes with the number of reads more than with their size.
    protocol.transport.bufferSize = _READ  # type: ignore[attr-defined]
    return protocol


def _address(text: str, port: int) -> IAddress:
    kind = IPv4Address if ip_address(text).version == 4 else IPv6Address
    return kind("TCP", text, port)
