"""The HTTP servers: the one where clients pull, and the one for those who watch."""

from __future__ import annotations

import socket
from collections.abc import Collection
from functools import partial
from typing import Any

from attrs import evolve, frozen
from twisted.internet.defer import Deferred, gatherResults
from twisted.web.resource import IResource, Resource

from hubmirror.access.names import Names
from hubmirror.certificates.clients import user_of
from hubmirror.config import Config
from hubmirror.coordination.connections import IConnections
from hubmirror.registry.channel import Limits
from hubmirror.registry.redirecting import HttpsRedirect
from hubmirror.registry.relayed import RelayedSite
from hubmirror.registry.site import Frontage, MirrorSite
from hubmirror.transport.descriptors import connections_within, raise_limit

__all__ = ["Served", "Sites", "frontage_of", "limits_of", "names_of"]


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
        self.watchers = MirrorSite(
            served.monitor, reactor, limits=limits, frontage=_watched(frontage)
        )
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
        self.watchers.frontage = _watched(served.frontage)

    def dismiss(self, ports: Collection[object]) -> None:
        """See ``MirrorSite.dismiss``."""
        for site in (self.clients, self.watchers):
            site.dismiss(ports)

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
    redirect = None
    if config.https_redirect:
        redirect = HttpsRedirect(config.https[0].port, config.public_url)
    is_asked = config.client_certificates != "off"
    return Frontage(
        config.trusted_proxies,
        config.public_url,
        names,
        hosts,
        redirect,
        partial(user_of, config.client_certificate_user) if is_asked else None,
    )


def names_of(config: Config) -> Names:
    """How clients write the names of repositories in the scopes of tokens."""
    return Names(config.registries)


def _watched(frontage: Frontage) -> Frontage:
    """The same where those come who watch: https is for clients."""
    return evolve(frontage, redirect=None)
