"""How many requests each day let through, kept over restarts and a ``kill -9``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from attrs import define, field
from twisted.logger import Logger
from zope.interface import Interface, implementer

from hubmirror.quota.durable import MappedWords

__all__ = ["FileLedger", "ILedger", "MemoryLedger"]

#: The file: words of 64 bits in the machine's byte order, the magic number, the version, and a
#: slot for each of the days that are remembered. A file from a machine of the other byte order
#: fails at the magic number.
MAGIC: Final = int.from_bytes(b"hubcount", "big")
VERSION: Final = 1
FIRST_SLOT: Final = 2
SLOTS: Final = 366
PAGE: Final = 4096

#: A slot: the day in the upper 24 bits, its count in the lower 40.
COUNT_BITS: Final = 40
COUNT_MASK: Final = (1 << COUNT_BITS) - 1
DAY_MASK: Final = (1 << 24) - 1


class ILedger(Interface):
    """A count for each day. A day is a number, see ``window.day_of``.

    At least the counts of the latest few days are kept, in whatever order the days come: a
    clock that steps back and forth finds each day as it left it.
    """

    def used(day: int) -> int:
        """The count of ``day``."""

    def add(day: int, count: int = 1) -> int:
        """Add ``count`` to the count of ``day``, and return the new count."""

    def flush() -> None:
        """Bring the counts to the disk. Blocks; may be called from any thread.

        Raises ``OSError`` where the disk fails.
        """

    def close() -> None:
        """Flush and end. Nothing is called afterwards, and nothing runs meanwhile."""


@implementer(ILedger)
@define
class MemoryLedger:
    """Counts that end with the process."""

    _counts: dict[int, int] = field(factory=dict, init=False)

    def used(self, day: int) -> int:
        """The count of ``day``."""
        return self._counts.get(day, 0)

    def add(self, day: int, count: int = 1) -> int:
        """Add ``count``, and return the new count."""
        self._counts[day] = self.used(day) + count
        return self._counts[day]

    def flush(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


@implementer(ILedger)
class FileLedger:
    """Counts in a file of one page, mapped into memory and shared with the kernel.

    An update is the store of one aligned word: when the process dies, the kernel has it or has
    it not, and never half of it. Only a power cut can lose what is not flushed. A file that is
    no ledger is set aside as ``NAME.damaged-N``, and the count starts anew. Days
    ``SLOTS`` apart share a slot, which holds the one that came last.

    Raises ``OSError`` where the file can't be opened or made. One process writes at a time.
    """

    _log = Logger()

    def __init__(self, path: Path) -> None:
        self._file = MappedWords(path, _empty(), _is_ledger, self._log, "a ledger of requests")
        self._words = self._file.words

    def used(self, day: int) -> int:
        """The count of ``day``."""
        word = self._words[FIRST_SLOT + day % SLOTS]
        return word & COUNT_MASK if word >> COUNT_BITS == day & DAY_MASK else 0

    def add(self, day: int, count: int = 1) -> int:
        """Add ``count``, and return the new count."""
        slot, tag = FIRST_SLOT + day % SLOTS, day & DAY_MASK
        word = self._words[slot]
        word = word + count if word >> COUNT_BITS == tag else tag << COUNT_BITS | count
        # CPython stores a "Q" with one memcpy of 8 bytes: a single machine instruction.
        self._words[slot] = word
        self._file.is_flushed = False
        return word & COUNT_MASK

    def flush(self) -> None:
        """Bring the counts to the disk, if they have changed. Raises ``OSError``."""
        self._file.flush()

    def close(self) -> None:
        """Flush and unmap. Raises ``OSError`` where the disk fails, and is closed nonetheless."""
        self._file.close()


def _is_ledger(path: Path) -> bool:
    if not path.is_file() or path.stat().st_size != PAGE:
        return False
    words = memoryview(path.read_bytes()).cast("Q")
    return (words[0], words[1]) == (MAGIC, VERSION)


def _empty() -> bytes:
    page = memoryview(bytearray(PAGE)).cast("Q")
    page[0], page[1] = MAGIC, VERSION
    return page.tobytes()
