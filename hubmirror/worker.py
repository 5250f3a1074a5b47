"""A process that serves clients: what is at hand by itself, the rest by way of the keeper."""

from __future__ import annotations

import time
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint

from hubmirror.config import Config
from hubmirror.coordination.board import Board
from hubmirror.coordination.connections import BoardConnections
from hubmirror.coordination.leases import Lease
from hubmirror.errors import RegistryError
from hubmirror.front import SHED, Shelves, compose_front
from hubmirror.https import Https
from hubmirror.listeners import Listeners
from hubmirror.mirror.elsewhere import NotAtHand
from hubmirror.options import Options
from hubmirror.processes import Parent, Place, local_path, sockets
from hubmirror.quota.counters import ADMITTED
from hubmirror.quota.leased import LeasedQuota
from hubmirror.registry.relay import Relay
from hubmirror.reports import written
from hubmirror.service import FIXED, LISTENERS, MirrorService
from hubmirror.sites import Served, Sites

__all__ = ["Worker"]

#: Between two reports, and between two looks at the certificate's files, in seconds.
REPORT: Final = 1.0
CERTIFICATE_CHECK: Final = 2.0


class Worker(MirrorService):
    """At its ``place``; what it shares with the others is on the ``board``."""

    name = "hubmirror worker"
    _fixed = (*FIXED, *LISTENERS)

    def __init__(self, options: Options, reactor: Any, place: Place, board: Board) -> None:
        super().__init__(options, reactor)
        self._place = place
        self._board = board
        self._seat = board.seats[place.seat]
        self._quota = LeasedQuota(Lease(self._seat, ADMITTED, time.monotonic), NotAtHand)
        self._shed = 0

    def stopService(self) -> Deferred[None]:
        """Accept nothing new; running transfers have ``shutdown_grace`` seconds to finish."""
        super().stopService()
        return Deferred.fromCoroutine(self._close())

    def _open(self) -> None:
        config, reactor, place = self._config, self._reactor, self._place
        endpoint = UNIXClientEndpoint(reactor, local_path(config.data))
        self._relay = Relay(reactor, endpoint)
        self._shelves = Shelves.over(
            reactor, config.data, time.time, self._board, config.memory_cache
        )
        connections = BoardConnections(self._board, place.seat)
        self._https = Https(config) if config.https else None
        self._sites = Sites(reactor, self._composed(config), connections)
        self._listeners = Listeners(reactor)
        self._listeners.adopt(sockets(place.http), self._sites.clients)
        if self._https is not None:
            self._listeners.adopt(sockets(place.https), self._sites.clients, self._https.secure)
        self._listeners.hold()

    def _started(self) -> None:
        self._listeners.accept()
        self._listen_for_reloads()
        self._repeat(REPORT, lambda: Deferred.fromCoroutine(self._report()))
        if self._https is not None:
            self._repeat(CERTIFICATE_CHECK, self._https.check)
        Parent(self._reactor, self._orphaned)
        self._place.say_ready()

    def _composed(self, config: Config) -> Served:
        return compose_front(
            self._reactor,
            time.time,
            config,
            self._shelves,
            self._board,
            self._seat,
            self._quota,
            self._relay,
        )

    def _take_in_force(self, config: Config) -> None:
        _changed, config = self._without_fixed(config)  # the keeper tells
        if self._https is not None:
            self._https.reload(config)
        self._sites.serve(self._composed(config))
        self._shelves.memory.resize(config.memory_cache)
        self._config = config

    def _cut(self) -> None:
        self._sites.cut()

    async def _report(self) -> None:
        """Tell what was spent; where that fails, statistics lack it, and the count does not."""
        shed = self._sites.shed
        self._seat.counts[SHED] += shed - self._shed
        self._shed = shed
        spendings = self._quota.take()
        touched = self._shelves.rows.take_touched()
        if not spendings and not touched:
            return
        try:
            await self._relay.report(written(spendings, touched))
        except RegistryError as error:
            self._log.warn("a report was not heard: {why}", why=str(error))

    async def _close(self) -> None:
        await self._listeners.stop()
        await self._sites.drain(self._config.shutdown_grace)
        self._end_loops()
        await self._report()
        self._relay.close()
        self._shelves.close()
        self._seat.vacate()
