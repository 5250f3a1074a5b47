"""The daemon where clients come by workers: it keeps, asks upstream, counts and decides."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from attrs import evolve

from hubmirror.accounting import Accounting
from hubmirror.certification import Certification
from hubmirror.config import Config
from hubmirror.coordination.board import Board
from hubmirror.coordination.connections import BoardConnections
from hubmirror.coordination.leases import Leases
from hubmirror.daemon import Composed, Daemon
from hubmirror.datafolder import DataFolder
from hubmirror.front import SHED
from hubmirror.https import Https
from hubmirror.listeners import Move
from hubmirror.monitor.latency import Latency
from hubmirror.monitor.metrics import Vitals
from hubmirror.options import Options
from hubmirror.processes import Parent, Place, sockets
from hubmirror.quota.counters import ADMITTED, WIDTH
from hubmirror.quota.quota import Quota
from hubmirror.reports import Reports
from hubmirror.service import FIXED, LISTENERS
from hubmirror.sites import Served, Sites
from hubmirror.storage import Storage

__all__ = ["KEEPER_SEAT", "Keeper"]

#: No worker sits there.
KEEPER_SEAT: Final = 0
#: Between two looks at what workers have spent, in seconds.
LEASE: Final = 0.1


class Keeper(Daemon):
    """A ``Daemon`` that is told its ``place`` by a supervisor, which holds folder and sockets."""

    _fixed = (*FIXED, *LISTENERS)

    def __init__(
        self,
        options: Options,
        reactor: Any,
        store: Callable[[Config], Storage],
        compose: Callable[[Config, Quota, Storage, Vitals], Composed],
        place: Place,
        board: Board,
        certification: Certification | None = None,
    ) -> None:
        super().__init__(options, reactor, store, compose, certification)
        self._place = place
        self._board = board
        seats = [seat.counts[WIDTH:] for seat in board.seats]
        self._vitals = evolve(
            self._vitals,
            latency=Latency(others=seats),
            connections=BoardConnections(board, KEEPER_SEAT).total,
            shed=lambda: self._sites.shed + sum(seat.counts[SHED] for seat in board.seats),
        )

    def _hold(self, folder: Path) -> DataFolder:
        return DataFolder(folder, self._place.lock)

    def _account(self, config: Config) -> Accounting:
        leases = Leases(self._board, ADMITTED, time.monotonic)
        return Accounting(self._reactor, config, time.time, self._tell, leases)

    def _make_sites(self, served: Served) -> Sites:
        reports = Reports(self._accounting.quota, self._storage.index.touch)
        return Sites(self._reactor, served, reports=reports)

    def _listen(self, config: Config) -> None:  # noqa: ARG002 - it is listened already
        place = self._place
        self._urls, self._watched = list(place.urls), list(place.watched)
        self._listeners.adopt(sockets(place.monitor), self._sites.watchers)
        self._listeners.adopt_local(place.local, self._sites.relayed)

    def _move(self, config: Config, https: Https | None) -> Move:  # noqa: ARG002 - see ``_listen``
        return self._listeners.move([])

    def _take_urls(self, move: Move) -> None:
        """They stay as they are."""

    def _is_ready(self) -> None:
        if self._place.greets:
            self._greet()
        else:
            self._log.info("the keeper is back")
        self._repeat(LEASE, self._accounting.quota.lease)
        Parent(self._reactor, self._orphaned)
        self._place.say_ready()
