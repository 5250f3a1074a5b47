"""``twistd hubmirror``: the composition root, where every object is built and wired."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import Any

from twisted.application.service import IService
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from hubmirror.activation import HandedOver
from hubmirror.admission import PasswordThreads, compose_admission
from hubmirror.cache.image_names import ImageNames
from hubmirror.cache.threads import Threads
from hubmirror.certificates.acme_challenges import Challenges
from hubmirror.certification import Certification
from hubmirror.config import Config
from hubmirror.connecting import connect, egress_of
from hubmirror.control.operations import Operations
from hubmirror.control.site import make_root
from hubmirror.coordination.board import Board
from hubmirror.coordination.marks import Marks
from hubmirror.coordination.versions import BoardVersions, IVersions
from hubmirror.daemon import Composed, Daemon
from hubmirror.keeper import Keeper
from hubmirror.mirror.pulling import Puller
from hubmirror.mirror.warming import Warming
from hubmirror.monitor.metrics import Vitals
from hubmirror.monitoring import compose_monitor
from hubmirror.notifying import Notifier
from hubmirror.options import Options
from hubmirror.policy import Registry, compose_policy
from hubmirror.processes import BOARD, WORKER, Place
from hubmirror.question import Client, Ping, Question
from hubmirror.quota.quota import Quota
from hubmirror.registry.api import Api, Token
from hubmirror.registry.image import Image
from hubmirror.registry.root import Root
from hubmirror.registry.search import Search
from hubmirror.registry.well_known import WELL_KNOWN, WellKnown
from hubmirror.sites import Served, frontage_of, limits_of, names_of
from hubmirror.storage import Pools, Storage, fetch_limits, room_of
from hubmirror.supervisor import Supervisor, spawn
from hubmirror.transport.bodies import Bodies
from hubmirror.upstream.breaker import Breaker
from hubmirror.upstream.registry import RemoteRegistry
from hubmirror.webhook import Webhook, open_webhook
from hubmirror.worker import Worker

__all__ = ["Options", "makeService"]


def makeService(options: Options) -> IService:
    """The daemon, for ``twistd`` to start."""
    from twisted.internet import reactor

    return _process(options, reactor, Place.told(os.environ))


def _process(options: Options, reactor: Any, place: Place | None) -> IService:
    """One that is all of the mirror, or the part of it that its ``place`` tells."""
    config = options.loaded.config
    service: IService
    if place is None:
        service = _first(options, reactor)
    elif place.role == WORKER:
        service = Worker(options, reactor, place, Board(config.data / BOARD))
    else:
        service = _keeper(options, reactor, place, Board(config.data / BOARD))
    return service


def _first(options: Options, reactor: Any) -> IService:
    """The process that somebody has started, systemd perhaps."""
    given = HandedOver.taken(os.environ, os.getpid())
    notifier = Notifier.told(os.environ, os.getpid())
    if options.loaded.config.workers > 1:
        return Supervisor(options, reactor, partial(spawn, reactor, options), given, notifier)
    challenges = Challenges()
    return Daemon(
        options,
        reactor,
        partial(store, reactor),
        partial(compose, reactor, challenges=challenges),
        Certification(reactor, challenges),
        given,
        notifier,
    )


def _keeper(options: Options, reactor: Any, place: Place, board: Board) -> Keeper:
    versions, marks, challenges = BoardVersions(board), Marks(board), Challenges()
    versions.all_changed()
    marks.clear()
    return Keeper(
        options,
        reactor,
        partial(store, reactor, versions=versions),
        partial(compose, reactor, marks=marks, challenges=challenges),
        place,
        board,
        Certification(reactor, challenges),
    )


def store(reactor: Any, config: Config, versions: IVersions | None = None) -> Storage:
    """What is kept, for as long as the daemon runs; ``versions`` tell others of changes."""
    return Storage(
        reactor,
        config.data,
        time.time,
        fetch_limits(config),
        Pools(),
        room_of(config),
        memory_cache=config.memory_cache,
        versions=versions,
    )


def compose(
    reactor: Any,
    config: Config,
    quota: Quota,
    storage: Storage,
    vitals: Vitals,
    marks: Marks | None = None,
    challenges: Challenges | None = None,
) -> Composed:
    """All that ``config`` decides about, from the upstream's connections up to the resources.

    ``marks`` tell others which tokens have a user; ``challenges`` are those of an ACME server.
    """
    breaker = Breaker(reactor)
    way = partial(connect, reactor, breaker, quota.tally)
    looks = PasswordThreads(reactor)
    admission = compose_admission(config, names_of(config), time.time, reactor.seconds, looks.run)
    policy = compose_policy(reactor, time.time, config, quota, storage, way, marks, admission)
    disk = storage.pools.disk
    bodies = Bodies(lambda *what: deferToThreadPool(reactor, disk, os.pread, *what))
    registries = config.registries
    frontage = frontage_of(config)
    own = policy.default.own
    login = own.status if config.pulls_as_itself else None
    monitor = compose_monitor(
        reactor, time.time, config, quota, storage, breaker, login, frontage, vitals
    )
    names = ImageNames(registries.default, registries.default in registries.prefixed)
    observe = vitals.latency.observe
    api = {
        b"image": Image(policy.mirror, bodies, registries, names),
        b"token": Token(policy.mirror, bodies, registries, observe),
        b"v1": Search(policy.mirror, bodies, registries),
        b"v2": Api(policy.mirror, bodies, registries, observe),
        WELL_KNOWN: WellKnown((challenges or Challenges()).answer),
        **monitor.health,
    }
    watched = {**monitor.pages, **monitor.health}
    resource = {**api, b"": monitor.setup} if config.monitor else {**api, **watched}

    puller = Puller(policy.mirror.answer, bodies, policy.credential)
    images = [names.parse(text) for text in config.warm_images]
    warming = Warming(puller, images, config.warm_platforms, config.warm_period, reactor)
    operations = Operations.over(
        storage.index,
        storage.blobs,
        storage.partials,
        names,
        Threads(reactor, storage.pools.disk).run,
        make_room=storage.room_for,
        now=time.time,
        puller=puller,
        quota=partial(monitor.reporter.now, names=True),
    )
    webhook = _webhook(reactor, config)

    async def close() -> None:
        warming.stop()
        looks.close()
        if webhook is not None:
            await webhook.close()
        await policy.close()

    return Composed(
        served=Served(Root(resource), Root(watched), limits_of(config), frontage),
        probe=partial(_probe, policy.default),
        probe_due=lambda: [
            _probe(one) for one in policy.registries() if breaker.is_probe_due(one.url)
        ],
        log_in=lambda: Deferred.fromCoroutine(own.log_in()),
        control=make_root(operations),
        warming=warming,
        tell=(lambda _event: None) if webhook is None else webhook.tell,
        end_streams=monitor.close,
        close=lambda: Deferred.fromCoroutine(close()),
    )


def _webhook(reactor: Any, config: Config) -> Webhook | None:
    if config.webhook_url is None:
        return None
    return open_webhook(
        reactor, config.webhook_url, egress=egress_of(config), upstream_ca=config.upstream_ca
    )


async def _ping(registry: RemoteRegistry) -> int:
    client = Client(address="", public_url="", user_agent="hubmirror")
    reply = await registry.ask(Question("GET", Ping(), client))
    reply.body.discard()
    return reply.status


def _probe(registry: Registry) -> Deferred[int]:
    return Deferred.fromCoroutine(_ping(registry.connected.registry))
