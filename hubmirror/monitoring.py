"""What people and programs watch, put together from a configuration: another next room."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from attrs import evolve, frozen
from twisted.web.resource import IResource
from twisted.web.server import Request

from hubmirror.cache.threads import Threads
from hubmirror.config import Config
from hubmirror.monitor.access import Access, View
from hubmirror.monitor.guarded import GuardedPages, OpenPage
from hubmirror.monitor.health import Healthz, Readyz, StoreCheck
from hubmirror.monitor.history import HistoryResource
from hubmirror.monitor.metrics import Counts, MetricsResource, Vitals
from hubmirror.monitor.openapi import OpenApi
from hubmirror.monitor.page import Page
from hubmirror.monitor.quota import QuotaResource
from hubmirror.monitor.report import Reporter
from hubmirror.monitor.stream import StreamResource
from hubmirror.quota.quota import Quota
from hubmirror.registry.request import public_url_of, viewer_of
from hubmirror.registry.site import Frontage
from hubmirror.storage import Storage
from hubmirror.tokens.credentials import LoginStatus
from hubmirror.upstream.breaker import Breaker
from hubmirror.upstream.url import origin_of

__all__ = ["Monitor", "compose_monitor"]


@frozen
class Monitor:
    """``pages`` are for those who watch, ``health`` for load balancers, by first path segment.

    ``setup`` is the page for those who pull where nobody watches. ``close`` ends the streams.
    """

    pages: Mapping[bytes, IResource]
    health: Mapping[bytes, IResource]
    setup: IResource
    reporter: Reporter
    close: Callable[[], None]


def compose_monitor(
    reactor: Any,
    now: Callable[[], float],
    config: Config,
    quota: Quota,
    storage: Storage,
    breaker: Breaker,
    login: Callable[[], LoginStatus] | None,
    frontage: Frontage,
    vitals: Vitals,
) -> Monitor:
    """What ``config`` lets be seen of all these. ``now`` is in seconds since the epoch."""
    origin = origin_of(config.default.url)
    name = "Docker Hub" if config.is_docker_hub else urlsplit(config.default.url).netloc

    def is_upstream_up() -> bool:
        return all(outage.origin != origin for outage in breaker.status())

    access = Access(
        viewer_of,
        config.monitor_allow,
        config.monitor_secret,
        config.monitor_public,
        frontage.names,
    )
    reporter = Reporter(
        quota=quota,
        upstream=config.default.url,
        outages=breaker.status,
        fetches=storage.fetcher.running,
        repositories=storage.arrivals.repositories,
        login=login,
        clock=now,
        began=quota.tally.began,
    )
    check = StoreCheck(config.data, Threads(reactor, storage.pools.disk), reactor)
    known = evolve(vitals, is_upstream_up=is_upstream_up)
    metrics = MetricsResource(quota, _counts(storage, check), known, reactor)
    ready = Readyz(
        check,
        is_upstream_up=is_upstream_up,
        is_open=vitals.is_open,
        is_draining=vitals.is_draining,
    )

    def public_url(_request: Request) -> str | None:
        return config.public_url

    stream = StreamResource(access, reporter, reactor)
    history = HistoryResource(access, quota.tally, reactor)
    pages: dict[bytes, IResource] = {
        b"": Page(name, public_url if config.monitor else public_url_of, config.client_registries),
        b"quota": QuotaResource(access, reporter, history, stream),
        b"metrics": GuardedPages(access, dict.fromkeys(View, metrics)),
        b"openapi.json": OpenApi(),
    }
    health: dict[bytes, IResource] = {
        b"healthz": OpenPage(Healthz()),
        b"readyz": OpenPage(ready),
    }
    return Monitor(
        pages, health, Page(name, public_url_of, config.client_registries), reporter, stream.close
    )


def _counts(storage: Storage, check: StoreCheck) -> Counts:
    fetcher, scrubber = storage.fetcher, storage.scrubber
    return Counts(
        not_kept=lambda: fetcher.not_kept,
        wrong_digests=lambda: fetcher.wrong_digests,
        rotten=lambda: scrubber.rotten,
        fetches=lambda: len(fetcher.running()),
        kept=storage.index.total,
        is_writable=check.is_writable,
    )
