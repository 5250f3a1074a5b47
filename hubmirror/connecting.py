"""The ways out: to one registry, guarded, verified and proxied, from a configuration towards it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.web.client import HTTPConnectionPool
from twisted.web.iweb import IAgent

from hubmirror.config import Config
from hubmirror.errors import HubmirrorError
from hubmirror.quota.tally import Tally
from hubmirror.upstream.agent import make_agent, make_pool
from hubmirror.upstream.breaker import Breaker
from hubmirror.upstream.client import TimeLimits, UpstreamClient, http_client
from hubmirror.upstream.egress import Credentials, Egress
from hubmirror.upstream.guard import AddressGuard
from hubmirror.upstream.pacing import Pacing
from hubmirror.upstream.registry import RemoteRegistry
from hubmirror.upstream.resolver import GuardedResolver

__all__ = ["Connect", "Connected", "WayOut", "connect", "egress_of", "open_way_out"]


@frozen
class Connected:
    """The way to one registry. ``close`` ends its idle connections."""

    client: UpstreamClient
    registry: RemoteRegistry
    close: Callable[[], Deferred[None]]


#: Makes the way to a registry, from the configuration towards it.
Connect = Callable[[Config], Connected]


def connect(reactor: Any, breaker: Breaker, tally: Tally, config: Config) -> Connected:
    """The way to the ``upstream`` of ``config``. Raises ``HubmirrorError`` for a wrong CA."""
    out = open_way_out(
        reactor,
        own_hosts=_hosts(config),
        allow_private=config.allow_private,
        egress=egress_of(config),
        ca=config.upstream_ca,
        connect_timeout=config.connect_timeout,
    )
    limits = TimeLimits(response=config.response_timeout, stall=config.stall_timeout)
    client = UpstreamClient(
        http_client(out.agent),
        reactor,
        limits,
        Pacing(reactor),
        config.retries,
        breaker=breaker,
        tally=tally,
    )
    registry = RemoteRegistry(client, config.upstream)
    return Connected(client, registry, out.pool.closeCachedConnections)


@frozen
class WayOut:
    """An agent, and what it is made of."""

    agent: IAgent
    pool: HTTPConnectionPool
    resolver: GuardedResolver


def open_way_out(
    reactor: Any,
    *,
    own_hosts: Collection[str],
    allow_private: Collection[str] = (),
    egress: Egress | None = None,
    ca: Path | None = None,
    connect_timeout: float,
) -> WayOut:
    """``own_hosts`` may be anywhere, others where ``AddressGuard`` lets them be.

    Raises ``HubmirrorError`` for a ``ca`` that is none.
    """
    guard = AddressGuard(allow_private, own_hosts)
    resolver = GuardedResolver(reactor, guard, timeout=connect_timeout)
    pool = make_pool(reactor)
    try:
        agent = make_agent(
            reactor,
            pool,
            guard=guard,
            resolver=resolver,
            egress=egress,
            upstream_ca=ca,
            connect_timeout=connect_timeout,
        )
    except ValueError as error:
        raise HubmirrorError(f"upstream_ca: {error}") from None
    return WayOut(agent, pool, resolver)


def egress_of(config: Config) -> Egress | None:
    """The proxy that ``config`` has, or none."""
    if config.egress_proxy is None:
        return None
    login = config.egress_login
    return Egress.parse(
        config.egress_proxy,
        credentials=None if login is None else Credentials(*login),
        no_proxy=",".join(config.no_proxy),
    )


def _hosts(config: Config) -> list[str]:
    """Those that the operator has named, wherever they are: what a client has chosen is guarded."""
    upstream = config.upstream if config.is_upstream_named else None
    urls = filter(None, (upstream, config.search_upstream))
    return [urlsplit(url).hostname or "" for url in urls]
