"""The HTTP servers: the one where clients pull, and the one for those who watch."""

from __future__ import annotations

from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, gatherResults
from twisted.web.resource import IResource

from hubmirror.registry.channel import Limits
from hubmirror.registry.site import Frontage, MirrorSite

__all__ = ["Served", "Sites"]


@frozen
class Served:
    """What clients get, what those get who watch, and how both are reached."""

    resource: IResource
    monitor: IResource
    limits: Limits
    frontage: Frontage


class Sites:
    """``clients`` and ``watchers``; what they serve may be replaced at run time."""

    def __init__(self, reactor: Any, served: Served) -> None:
        limits, frontage = served.limits, served.frontage
        self.clients = MirrorSite(served.resource, reactor, limits=limits, frontage=frontage)
        self.watchers = MirrorSite(served.monitor, reactor, limits=limits, frontage=frontage)

    def serve(self, served: Served) -> None:
        """Serve other things, from the next request on."""
        self.clients.resource, self.watchers.resource = served.resource, served.monitor
        for site in (self.clients, self.watchers):
            site.limits, site.frontage = served.limits, served.frontage

    def drain(self, grace: float) -> Deferred[list[None]]:
        """See ``MirrorSite.drain``."""
        return gatherResults([self.clients.drain(grace), self.watchers.drain(grace)])

    def cut(self) -> None:
        """End every connection, at once."""
        self.clients.cut()
        self.watchers.cut()
