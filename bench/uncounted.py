"""The daemon with its quota or without one: ``python -m bench.uncounted counted|uncounted …``.

Nothing else differs between the two. What follows are the options of ``hubmirror serve``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from twisted.application.service import Application, IService
from twisted.logger import ILogObserver, globalLogBeginner

from hubmirror import tap
from hubmirror.daemon import Daemon
from hubmirror.options import Options
from hubmirror.question import Outcome, Question
from hubmirror.quota.accounts import Note
from hubmirror.quota.books import MemoryBooks
from hubmirror.quota.history import MemoryHistory
from hubmirror.quota.kinds import Kind
from hubmirror.quota.ledger import MemoryLedger
from hubmirror.quota.quota import Charge, Quota
from hubmirror.quota.rules import Rules
from hubmirror.quota.spender import Spender

__all__ = ["QUOTAS", "Uncounted"]


class Uncounted(Quota):
    """Lets everything through, and counts nothing."""

    def __init__(self) -> None:
        super().__init__(Rules(), MemoryLedger(), MemoryHistory(), MemoryBooks(), time.time)
        nobody = Spender("")
        self._charge = _NoCharge(nobody, Kind.OTHER, Note(nobody, None, []), [])

    def admit(self, question: Question, user: str | None = None) -> Charge:  # noqa: ARG002
        """It may be."""
        return self._charge

    def pulled(self, spender: Spender, question: Question) -> None:
        """Nobody asks."""


class _NoCharge(Charge):
    def settle(self, outcome: Outcome) -> None:
        """Nobody asks."""

    def moved(self, received: int, sent: int) -> None:
        """Nobody asks."""


#: What becomes of the daemon's own quota.
QUOTAS: Mapping[str, Callable[[Quota], Quota]] = {
    "counted": lambda quota: quota,
    "uncounted": lambda _quota: Uncounted(),
}


def main() -> None:
    """Run it until it is told to stop."""
    from twisted.internet import reactor  # noqa: TID251 - this is a program

    options = Options("bench.uncounted")
    options.parseOptions(sys.argv[2:])
    quota_of = QUOTAS[sys.argv[1]]

    def compose(config: Any, quota: Quota, *others: Any) -> Any:
        return tap.compose(reactor, config, quota_of(quota), *others)

    application = Application("hubmirror")
    Daemon(options, reactor, partial(tap.store, reactor), compose).setServiceParent(application)
    globalLogBeginner.beginLoggingTo([ILogObserver(application)])
    service: Any = IService(application)
    service.startService()
    running: Any = reactor
    running.addSystemEventTrigger("before", "shutdown", service.stopService)
    running.run()


if __name__ == "__main__":
    main()
