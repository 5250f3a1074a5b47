"""``GET /metrics``: what an operator's Prometheus watches.

Names are as Prometheus' naming conventions have them. Labels are few and bounded: kinds,
outcomes and windows are the program's own, reserves the configuration's. No client's or
repository's name is one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Final

from attrs import field, frozen
from prometheus_client import ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import Request

from hubmirror.cache.errors import StoreFailed
from hubmirror.monitor.latency import Latency
from hubmirror.monitor.later import answer_later
from hubmirror.monitor.recent import Recent
from hubmirror.question import Outcome
from hubmirror.quota.counters import (
    BYTES_IN,
    BYTES_OUT,
    PULLS,
    UPSTREAM_BYTES,
    UPSTREAM_REQUESTS,
)
from hubmirror.quota.kinds import Kind
from hubmirror.quota.pulls import OURS
from hubmirror.quota.quota import Quota, WindowStatus

__all__ = ["Counts", "MetricsResource", "Vitals"]

#: For how long the sum of what is kept holds, and how long a scrape waits for it, in seconds:
#: Prometheus itself waits for ten.
KEEP: Final = 10.0
PATIENCE: Final = 3.0
OPENMETRICS: Final = "application/openmetrics-text"


def _nothing() -> Deferred[None]:
    return succeed(None)


@frozen
class Counts:
    """What the store tells of itself, each asked for when it is scraped.

    ``kept`` is how many blobs it holds and their bytes; it may fail with ``StoreFailed``.
    ``is_writable`` is whether it can be written. A scrape goes without what is None.
    """

    not_kept: Callable[[], int]
    wrong_digests: Callable[[], int]
    rotten: Callable[[], int]
    fetches: Callable[[], int]
    kept: Callable[[], Awaitable[tuple[int, int] | None]] = _nothing
    is_writable: Callable[[], Awaitable[bool | None]] = _nothing


@frozen
class Vitals:
    """What the daemon tells of itself. ``certificate_expiry`` is in seconds since the epoch,

    None where there is no https; ``shed`` is how many requests were refused for overload. A scrape
    goes without what is None. ``is_open`` is whether what is kept has been opened, ``is_draining``
    whether the daemon is ending: for ``Readyz``.
    """

    version: str | None = None
    latency: Latency = field(factory=Latency)
    connections: Callable[[], int | None] = lambda: None
    is_upstream_up: Callable[[], bool | None] = lambda: None
    certificate_expiry: Callable[[], float | None] = lambda: None
    is_open: Callable[[], bool] = lambda: True
    is_draining: Callable[[], bool] = lambda: False
    shed: Callable[[], int] = lambda: 0


class MetricsResource(Resource):
    """The metrics in Prometheus' text format, or in OpenMetrics' where ``Accept`` asks for it.

    Without a ``clock`` no scrape waits for anything, and goes without what it would wait for.
    """

    isLeaf = True
    _log = Logger()

    def __init__(
        self,
        quota: Quota,
        counts: Counts,
        vitals: Vitals | None = None,
        clock: IReactorTime | None = None,
    ) -> None:
        super().__init__()
        self._quota = quota
        self._counts = counts
        self._vitals = vitals or Vitals()
        self._process = ProcessCollector(registry=None)
        self._kept: Recent[tuple[int, int] | None] | None = None
        if clock is not None:
            self._kept = Recent(self._total, clock, keep=KEEP, patience=PATIENCE)

    def render_GET(self, request: Request) -> int:
        return answer_later(request, self._scraped(request))

    async def _scraped(self, request: Request) -> bytes:
        families = [
            *_traffic(self._quota),
            *_windows(self._quota),
            *_reserves(self._quota),
            *_hub(self._quota),
            *await self._store(),
            *_vitals(self._vitals),
            *self._process.collect(),
        ]
        encode, content_type = _encoder(_accepted(request))
        request.setHeader("Content-Type", content_type)
        request.setHeader("Vary", "Accept")
        return encode(_Families(families))

    async def _store(self) -> Iterator[Metric]:
        kept = is_writable = None
        if self._kept is not None:
            kept = await self._kept.get()
            is_writable = await self._counts.is_writable()
        return _store(self._counts, kept, is_writable)

    async def _total(self) -> tuple[int, int] | None:
        try:
            return await self._counts.kept()
        except StoreFailed as error:
            self._log.warn("what is kept can't be summed: {why}", why=str(error))
            return None


@frozen(eq=False)
class _Families(Collector):
    """What an encoder of the client library reads."""

    families: Iterable[Metric]

    def collect(self) -> Iterable[Metric]:
        return self.families


def _accepted(request: Request) -> str:
    values = request.requestHeaders.getRawHeaders(b"Accept", [])
    return ",".join(value.decode("latin-1") for value in values)


def _encoder(accept: str) -> tuple[Callable[[Collector], bytes], str]:
    """The library is given no client's words: there are versions on which it stumbles."""
    wanted = {part.partition(";")[0].strip() for part in accept.lower().split(",")}
    return choose_encoder(f"{OPENMETRICS};version=1.0.0" if OPENMETRICS in wanted else "")


def _traffic(quota: Quota) -> Iterator[Metric]:
    counted = quota.tally.since_start()
    row = counted.row
    yield _labelled(
        CounterMetricFamily,
        "hubmirror_requests",
        "Requests that were answered, or refused, by what they asked for and how that came out.",
        ("kind", "outcome"),
        {
            (kind.label, outcome.label): counted.count(kind, outcome)
            for kind in Kind
            for outcome in Outcome
        },
    )
    yield _labelled(
        CounterMetricFamily,
        "hubmirror_client_bytes",
        "Bytes of clients' requests (in), and of the bodies of answers (out).",
        ("direction",),
        {("in",): row[BYTES_IN], ("out",): row[BYTES_OUT]},
    )
    yield _counter("quota_admitted", "Requests that the quota let through.", counted.admitted)
    yield _counter("upstream_requests", "Requests to upstream hosts.", row[UPSTREAM_REQUESTS])
    yield _counter("upstream_bytes", "Bytes of bodies from upstream hosts.", row[UPSTREAM_BYTES])
    yield _counter("hub_pulls", "Pulls that Docker Hub has counted.", row[PULLS])


def _windows(quota: Quota) -> Iterator[Metric]:
    windows = {"day": quota.day(), "minute": quota.minute()}

    def family(name: str, text: str, value: Callable[[WindowStatus], float]) -> Metric:
        values: dict[tuple[str, ...], float] = {
            (label,): value(window) for label, window in windows.items()
        }
        return _labelled(GaugeMetricFamily, f"hubmirror_quota_{name}", text, ("window",), values)

    yield family("used", "Requests counted in the window that runs.", lambda one: one.used)
    yield family("limit", "Requests that the window has; 0: no limit.", lambda one: one.limit)
    yield family(
        "reset_timestamp_seconds",
        "When the next window begins, since the epoch.",
        lambda one: one.reset.timestamp(),
    )


def _reserves(quota: Quota) -> Iterator[Metric]:
    used: Counter[tuple[str, ...]] = Counter()
    size: Counter[tuple[str, ...]] = Counter()
    for reserve in quota.reserves():  # two for the same clients are one here: a series is unique
        used[reserve.name,] += reserve.used
        size[reserve.name,] += reserve.size
    name, labels = "hubmirror_quota_reserve", ("reserve",)
    yield _labelled(
        GaugeMetricFamily, f"{name}_used", "What is spent of the day's reserve.", labels, used
    )
    yield _labelled(GaugeMetricFamily, f"{name}_size", "The day's reserve.", labels, size)


def _hub(quota: Quota) -> Iterator[Metric]:
    """What Docker Hub said last of the mirror's own limit; nothing before it said anything."""
    told = quota.pulls.limits().get(OURS)
    if told is not None:
        yield _gauge("hub_limit", "Docker Hub's limit on the mirror's own pulls.", told.limit)
        yield _gauge("hub_remaining", "Pulls that were left when it last said so.", told.remaining)
        yield _gauge("hub_window_seconds", "How long the window of that limit is.", told.window)
        yield _gauge("hub_seen_timestamp_seconds", "When it last said so.", told.seen)


def _store(
    counts: Counts, kept: tuple[int, int] | None, is_writable: bool | None
) -> Iterator[Metric]:
    yield _counter(
        "store_refusals",
        "Times that the disk took no blob: it was streamed and not kept.",
        counts.not_kept(),
    )
    yield _counter(
        "wrong_digests",
        "Blobs that came with other bytes than their digest promises.",
        counts.wrong_digests(),
    )
    yield _counter("rotten_blobs", "Kept blobs that the scrub found rotten.", counts.rotten())
    yield _gauge("fetches", "Blobs on their way.", counts.fetches())
    if kept is not None:
        yield _gauge("store_blobs", "Blobs that are kept, manifests included.", kept[0])
        yield _gauge("store_bytes", "Their bytes.", kept[1])
    if is_writable is not None:
        yield _gauge("store_writable", "Whether the store can be written.", is_writable)


def _vitals(vitals: Vitals) -> Iterator[Metric]:
    yield _counter("shed_requests", "Requests that were refused for overload.", vitals.shed())
    is_up, connections = vitals.is_upstream_up(), vitals.connections()
    expiry = vitals.certificate_expiry()
    if is_up is not None:
        yield _gauge("upstream_up", "Whether the upstream registry is not known to be down.", is_up)
    if connections is not None:
        yield _gauge("client_connections", "Connections of clients that are open.", connections)
    if expiry is not None:
        yield _gauge(
            "certificate_expiry_timestamp_seconds",
            "When the certificate of the https listeners ends, since the epoch.",
            expiry,
        )
    yield vitals.latency.family()
    if vitals.version is not None:
        build = {"version": vitals.version}
        yield InfoMetricFamily("hubmirror_build", "What runs here.", build)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"hubmirror_{name}", text, value)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"hubmirror_{name}", text, float(value))


def _labelled(
    family: type[CounterMetricFamily | GaugeMetricFamily],
    name: str,
    text: str,
    labels: tuple[str, ...],
    values: Mapping[tuple[str, ...], float],
) -> Metric:
    made = family(name, text, labels=labels)
    for value_labels, value in values.items():
        made.add_metric(value_labels, value)
    return made
