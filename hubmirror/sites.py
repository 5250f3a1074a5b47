"""The HTTP servers: the one where clients pull, and the one for those who watch."""

from __future__ import annotations

import socket
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, gatherResults
from twisted.web.resource import IResource, Resource

from hubmirror.config import Config
from hubmirror.coordination.connections import IConnections
from hubmirror.registries import Registries
from hubmirror.registry.channel import Limits
from hubmirror.registry.relayed import RelayedSite
from hubmirror.registry.site import Frontage, MirrorSite
from hubmirror.transport.descriptors import connections_within, raise_limit

__all__ = ["Served", "Sites", "frontage_of", "limits_of", "registries_of"]


@frozen
class Served:
    """What clients get, what those get who watch, and how both are reached."""

    resource: IResource
    monitor: IResource
    limits: Limits
    frontage: Frontage


class Sites:
    """``clients`` and ``watchers``; what they serve may be replaced at run time.

    ``connections`` are those of clients, other processes' included; ``relayed`` is for clients
    who come by other processes, whose own word is for ``reports``.
    """

    def __init__(
        self,
        reactor: Any,
        served: Served,
        connections: IConnections | None = None,
        reports: IResource | None = None,
    ) -> None:
        limits, frontage = served.limits, served.frontage
        self.clients = MirrorSite(
            served.resource, reactor, limits=limits, frontage=frontage, connections=connections
        )
        self.watchers = MirrorSite(served.monitor, reactor, limits=limits, frontage=frontage)
        self.relayed = RelayedSite(served.resource, reports or Resource(), reactor, frontage)
        self._all = (self.clients, self.watchers, self.relayed)

    @property
    def shed(self) -> int:
        """How many requests were refused for overload, since the start."""
        return sum(site.shedding.refused for site in self._all)

    def serve(self, served: Served) -> None:
        """Serve other things, from the next request on."""
        self.clients.resource, self.watchers.resource = served.resource, served.monitor
        self.relayed.resource, self.relayed.frontage = served.resource, served.frontage
        for site in (self.clients, self.watchers):
            site.limits, site.frontage = served.limits, served.frontage

    def drain(self, grace: float) -> Deferred[list[None]]:
        """See ``MirrorSite.drain``."""
        return gatherResults([site.drain(grace) for site in self._all])

    def cut(self) -> None:
        """End every connection, at once."""
        for site in self._all:
            site.cut()


def limits_of(config: Config) -> Limits:
    """What one client may take, and how many may come; this process may open as many files."""
    return Limits(
        header_timeout=config.header_timeout,
        idle_timeout=config.idle_timeout,
        send_timeout=config.send_timeout,
        max_connections=connections_within(raise_limit(), config.max_connections),
        max_connections_per_client=config.max_connections_per_client,
    )


def frontage_of(config: Config) -> Frontage:
    """How this mirror is reached."""
    names = frozenset({"localhost", socket.gethostname().lower()})
    hosts = frozenset(host for upstream in config.upstreams for host in upstream.hosts)
    return Frontage(config.trusted_proxies, config.public_url, names, hosts)


def registries_of(config: Config) -> Registries:
    """The registries that this mirror has."""
    upstreams = {one.name: one for one in (config.default, *config.upstreams)}
    return Registries(
        default=config.default.name,
        named=frozenset(upstreams),
        hosts={host: one.name for one in config.upstreams for host in one.hosts},
        prefixed=frozenset(
            name for name, one in upstreams.items() if config.towards(one).uses_library_prefix
        ),
        allowed=config.allow_upstreams,
    )
