"""The quota's life in the daemon: its files, the thread that writes them, its warnings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from hubmirror.config import Config
from hubmirror.coordination.leases import Leases
from hubmirror.quota.files import QuotaFiles
from hubmirror.quota.window import rfc3339

__all__ = ["FLUSH", "SAVE_BOOKS", "Accounting"]

#: Between two writes of the counts to the disk, in seconds: what a power cut can lose.
FLUSH: Final = 1.0
#: Between two writes of what each client and repository has spent: what a kill -9 can lose.
SAVE_BOOKS: Final = 10.0


class Accounting:
    """Opens the quota in ``config.data``. ``now`` is in seconds since the epoch; ``tell`` is given

    each warning as a JSON object, for whoever else wants to know than the log; ``leases`` are what
    other processes may let through.

    Raises ``OSError`` where a file can't be opened. Afterwards a disk that fails is told to the
    log, once until it works again, and nothing is lost that memory has.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        config: Config,
        now: Callable[[], float],
        tell: Callable[[dict[str, object]], object],
        leases: Leases | None = None,
    ) -> None:
        self._reactor = reactor
        self._tell = tell
        self._files = QuotaFiles.open(config.data)
        self.quota = self._files.quota(config.rules, now, self._reached, leases)
        self._disk = ThreadPool(0, 1, "quota")
        self._loop = LoopingCall(self._flush)
        self._loop.clock = reactor
        self._saved = reactor.seconds()
        self._is_failing = False

    def start(self) -> None:
        """Write from now on."""
        self._disk.start()
        self._loop.start(FLUSH, now=False)

    def reload(self, config: Config) -> None:
        """Other rules."""
        self.quota.rules = config.rules

    def close(self) -> None:
        """Write all, and end. Blocks for as long as the disk takes."""
        if self._loop.running:
            self._loop.stop()
            self._disk.stop()
        self.quota.settle()
        try:
            try:
                self._files.flush(self.quota.take_changes())
            finally:
                self._files.close()
        except OSError:
            self._log.failure("the last counts can't be written")

    def _flush(self) -> Deferred[None]:
        self.quota.settle()
        changes = []
        if abs(self._reactor.seconds() - self._saved) >= SAVE_BOOKS:
            self._saved = self._reactor.seconds()
            changes = self.quota.take_changes()
        flushed = deferToThreadPool(self._reactor, self._disk, self._files.flush, changes)
        return flushed.addCallbacks(self._works, self._fails)

    def _works(self, _: None) -> None:
        if self._is_failing:
            self._is_failing = False
            self._log.info("the counts are written again")

    def _fails(self, failure: Failure) -> None:
        if not self._is_failing:
            self._is_failing = True
            self._log.failure("the counts can't be written", failure=failure)

    def _reached(self, percent: int) -> None:
        """Never fails: a request has just reached it, which must not suffer from that."""
        status = self.quota.day()
        self._log.warn(
            "{percent} % of today's {limit} requests are spent; the count starts anew at {reset}",
            percent=percent,
            limit=status.limit,
            reset=rfc3339(status.reset),
        )
        event = {
            "event": "quota",
            "percent": percent,
            "limit": status.limit,
            "used": status.used,
            "reset": rfc3339(status.reset),
        }
        try:
            self._tell(event)
        except Exception:
            self._log.failure("a warning could not be told")
