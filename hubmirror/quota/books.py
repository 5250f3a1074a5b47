"""Where a day's accounts are kept over restarts."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nlargest
from typing import Final

from zope.interface import Interface, implementer

from hubmirror.quota.accounts import OTHERS, Dimension, Entry

__all__ = ["DAYS_KEPT", "MOST_ACCOUNTS", "Days", "IBookStore", "MemoryBooks", "is_spent"]

#: How many days are kept: those that were saved last, so that a clock that steps back and forth
#: finds each as it left it, wherever it has been.
DAYS_KEPT: Final = 2
#: How many accounts are kept of a day and a dimension, whatever comes.
MOST_ACCOUNTS: Final = 12_000


class IBookStore(Interface):
    """The entries of the days that were saved last. A day is a number, see ``window.day_of``."""

    def load(day: int) -> list[Entry]:
        """All that is kept of ``day``, what is not flushed yet included.

        Blocks, for as long as it takes to read 40,000 rows. A disk that fails is no error here,
        but a line in the log.
        """

    def save(day: int, entries: Sequence[Entry]) -> None:
        """Keep these in the place of what is kept under their names: on the disk from the next

        ``flush`` on. An entry of zeros is an account that is no more. May be called from any
        thread; neither blocks nor fails.
        """

    def flush() -> None:
        """Bring all to the disk. Blocks; may be called from any thread.

        Raises ``OSError``; what could not be written stays for the next call.
        """

    def close() -> None:
        """Flush and end. Nothing is called afterwards."""


class Days:
    """The latest entry of each name, of the ``DAYS_KEPT`` days that were saved last."""

    def __init__(self) -> None:
        self._days: dict[int, dict[Dimension, dict[str, Entry]]] = {}

    def save(self, day: int, entries: Sequence[Entry]) -> None:
        """Keep these in the place of what is kept under their names; zeros are kept, too."""
        if not entries:
            return
        kept = self._days.pop(day, None) or {dimension: {} for dimension in Dimension}
        for entry in entries:
            kept[entry.dimension][entry.name] = entry
        self._days[day] = {dimension: _busiest(named) for dimension, named in kept.items()}
        if len(self._days) > DAYS_KEPT:
            del self._days[next(iter(self._days))]

    def of(self, day: int) -> list[Entry]:
        """The entries of ``day``."""
        return [entry for named in self._days.get(day, {}).values() for entry in named.values()]

    def all(self) -> list[tuple[int, list[Entry]]]:
        """The days with their entries, in the order in which they were saved last."""
        return [(day, self.of(day)) for day in self._days]


def is_spent(entry: Entry) -> bool:
    """Whether there is anything in the account."""
    return bool(entry.requests or entry.refused or entry.bytes_in or entry.bytes_out or entry.pulls)


@implementer(IBookStore)
class MemoryBooks:
    """Entries that end with the process."""

    def __init__(self) -> None:
        self._days = Days()

    def load(self, day: int) -> list[Entry]:
        """See ``IBookStore``."""
        return [entry for entry in self._days.of(day) if is_spent(entry)]

    def save(self, day: int, entries: Sequence[Entry]) -> None:
        """See ``IBookStore``."""
        self._days.save(day, entries)

    def flush(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


def _busiest(named: dict[str, Entry]) -> dict[str, Entry]:
    """At most ``MOST_ACCOUNTS``, the sum of the others among them."""
    if len(named) <= MOST_ACCOUNTS:
        return named
    return {entry.name: entry for entry in nlargest(MOST_ACCOUNTS, named.values(), key=_busyness)}


def _busyness(entry: Entry) -> tuple[bool, int, int]:
    return entry.name == OTHERS, entry.requests + entry.refused, entry.bytes_out
