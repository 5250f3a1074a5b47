"""What a worker serves, put together from a configuration: what is at hand, and a way on."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final

from attrs import frozen
from twisted.internet.threads import deferToThreadPool

from hubmirror.admission import compose_gate
from hubmirror.cache.blobs import FileBlobStore
from hubmirror.cache.files import Files
from hubmirror.cache.index import SQLiteIndex
from hubmirror.cache.looked_at import LookedAtFile
from hubmirror.cache.memory import Memory, RememberingBlobs, RememberingIndex
from hubmirror.config import Config
from hubmirror.coordination.board import Board, Seat
from hubmirror.coordination.marks import Marks
from hubmirror.coordination.versions import BoardVersions
from hubmirror.mirror.arrivals import Arrivals
from hubmirror.mirror.blobs import Blobs
from hubmirror.mirror.elsewhere import Elsewhere, NotAtHand, nothing_remote
from hubmirror.mirror.forgiving import ForgivingIndex
from hubmirror.mirror.listings import Listings
from hubmirror.mirror.manifests import Manifests
from hubmirror.mirror.mirror import Mirror
from hubmirror.mirror.mirrored import MirroredRegistry
from hubmirror.mirror.negatives import Negatives
from hubmirror.mirror.prefetch import Prefetch
from hubmirror.mirror.reviewing import Platforms, Reviewing
from hubmirror.mirror.rights import Rights
from hubmirror.mirror.tags import Tags, TagTimes
from hubmirror.monitor.latency import WORDS, Latency
from hubmirror.quota.counters import WIDTH
from hubmirror.quota.leased import LeasedQuota
from hubmirror.registry.at_hand import ApiAtHand
from hubmirror.registry.relay import Relay, RelayResource
from hubmirror.registry.root import Root
from hubmirror.sites import Served, frontage_of, limits_of, names_of
from hubmirror.storage import Pools
from hubmirror.tokens.grants import Grants
from hubmirror.tokens.holders import MarkedHolders
from hubmirror.transport.bodies import Bodies

__all__ = ["SHED", "Shelves", "compose_front"]

#: Where a worker counts the requests that it refused for overload, behind all else.
SHED: Final = WIDTH + WORDS

#: How many registries are at hand at once.
KEPT: Final = 128


@frozen
class Shelves:
    """What is kept, to be looked at: another process writes it, and tells of changes."""

    rows: SQLiteIndex
    index: RememberingIndex
    blobs: RememberingBlobs
    pools: Pools
    memory: Memory

    @classmethod
    def over(
        cls,
        reactor: Any,
        folder: Path,
        now: Callable[[], float],
        board: Board,
        memory_cache: int,
    ) -> Shelves:
        """Of the mirror whose data are in ``folder``; its threads begin."""
        pools = Pools()
        memory = Memory(memory_cache, BoardVersions(board))
        rows = SQLiteIndex(reactor, pools.sqlite, folder, now, LookedAtFile)
        blobs = FileBlobStore(folder, Files(), reactor, pools.disk, pools.hashing)
        for pool in pools.all():
            pool.start()
        remembering = RememberingIndex(rows, memory), RememberingBlobs(blobs, memory)
        return cls(rows, *remembering, pools, memory)

    def close(self) -> None:
        """Its threads end."""
        self.rows.close()
        for pool in self.pools.all():
            pool.stop()


def compose_front(
    reactor: Any,
    now: Callable[[], float],
    config: Config,
    shelves: Shelves,
    board: Board,
    seat: Seat,
    quota: LeasedQuota,
    relay: Relay,
) -> Served:
    """What ``config`` lets this worker answer out of ``quota``, and the rest by ``relay``."""
    mirrored = partial(_mirrored, reactor, now, shelves)
    # Each is light, and looks at the same shelves: those that nobody asks for any more go.
    registry = lru_cache(KEPT)(lambda name: mirrored(config.towards(config.called(name))))
    access = compose_gate(config, names_of(config), now, reactor.seconds, NotAtHand)
    reviewing = None
    if access.is_about_content:
        reviewing = Reviewing(access, Platforms(ForgivingIndex(shelves.index), shelves.blobs))
    holders = MarkedHolders(Marks(board), NotAtHand)
    mirror = Mirror(quota, holders, registry, access, reviewing)
    bodies = Bodies(lambda *what: deferToThreadPool(reactor, shelves.pools.disk, os.pread, *what))
    took = Latency(seat.counts[WIDTH : WIDTH + WORDS]).observe
    api = ApiAtHand(mirror, bodies, config.registries, took, relay)
    elsewhere = RelayResource(relay)
    root = Root({b"v2": api}, otherwise=elsewhere)
    return Served(root, Root({}, otherwise=elsewhere), limits_of(config), frontage_of(config))


def _mirrored(
    reactor: Any, now: Callable[[], float], shelves: Shelves, config: Config
) -> MirroredRegistry:
    """As ``compose_policy``'s, of what answers at once; rights are the same code."""
    elsewhere, is_account = Elsewhere(), config.pulls_as_itself
    index = ForgivingIndex(shelves.index)
    arrivals = Arrivals(index, now)
    rights = Rights(
        index,
        Grants(now, config.right_ttl),
        elsewhere,
        elsewhere,
        now,
        public_ttl=config.public_ttl,
        is_open_mirror=is_account,
    )
    times = TagTimes(config.tag_ttl, 0.0, config.stale_for, config.when_deleted == "keep")
    manifests = Manifests(index, shelves.blobs, rights, arrivals, now, _nothing_follows)
    blobs = Blobs(index, shelves.blobs, rights, elsewhere, arrivals, nothing_remote, now)
    return MirroredRegistry(
        elsewhere,
        elsewhere,
        manifests,
        Tags(index, manifests, rights, elsewhere, elsewhere, now, times),
        blobs,
        Listings(index, rights, elsewhere, elsewhere, now, times),
        Negatives(0, now),
        Prefetch(index, blobs.bring, elsewhere, reactor, is_on=False),
        keeps=config.cache,
        is_account=is_account,
    )


def _nothing_follows(*_: object) -> None:
    """Nothing is fetched from here, so nothing ahead."""
