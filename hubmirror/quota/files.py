"""The quota's files in the data folder: opened at the start, flushed each second, closed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from attrs import frozen

from hubmirror.coordination.leases import Leases
from hubmirror.quota.accounts import Entry
from hubmirror.quota.books import IBookStore
from hubmirror.quota.books_file import FileBooks
from hubmirror.quota.history import IHistory
from hubmirror.quota.history_file import FileHistory
from hubmirror.quota.ledger import FileLedger, ILedger
from hubmirror.quota.quota import Quota
from hubmirror.quota.rules import Rules

__all__ = ["QuotaFiles"]


@frozen
class QuotaFiles:
    """What a quota keeps over restarts."""

    ledger: ILedger
    history: IHistory
    books: IBookStore

    @classmethod
    def open(cls, folder: Path) -> QuotaFiles:
        """The files in ``folder``, made where they are missing. Raises ``OSError``."""
        with ExitStack() as opened:
            ledger = FileLedger(folder / "quota.ledger")
            opened.callback(ledger.close)
            history = FileHistory(folder / "quota.history")
            opened.callback(history.close)
            files = cls(ledger, history, FileBooks(folder / "quota.books"))
            opened.pop_all()
        return files

    def quota(
        self,
        rules: Rules,
        now: Callable[[], float],
        warn: Callable[[int], object] = lambda _percent: None,
        leases: Leases | None = None,
    ) -> Quota:
        """A quota over these files; ``leases`` are what other processes may spend of it."""
        return Quota(rules, self.ledger, self.history, self.books, now, warn, leases)

    def flush(self, changes: Sequence[tuple[int, Sequence[Entry]]]) -> None:
        """Bring all to the disk, ``changes`` (see ``Quota.take_changes``) included.

        Blocks; may be called from any thread. Raises ``OSError`` where one of the files can't be
        written: the others are nonetheless, and that one again at the next call.
        """
        for day, entries in changes:
            self.books.save(day, entries)
        _do_each(self.ledger.flush, self.history.flush, self.books.flush)

    def close(self) -> None:
        """Flush and end. Raises ``OSError``; all is closed nonetheless."""
        _do_each(self.ledger.close, self.history.close, self.books.close)


def _do_each(*steps: Callable[[], object]) -> None:
    """Each in its turn, whether or not the ones before fail; raises the last one's error."""
    with ExitStack() as stack:
        for step in reversed(steps):
            stack.callback(step)
