"""What was counted, kept over restarts and a ``kill -9``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from twisted.logger import Logger
from zope.interface import implementer

from hubmirror.quota.counters import WIDTH, Counters
from hubmirror.quota.durable import MappedWords
from hubmirror.quota.history import IHistory, Step

__all__ = ["FileHistory"]

#: The file: words of 64 bits in the machine's byte order. A page for the header, whose first
#: words are the magic number, the version, and what the rings are like; then the rings.
MAGIC: Final = int.from_bytes(b"hubhisto", "big")
VERSION: Final = 1
PAGE: Final = 4096
WORD: Final = 8

#: A slot: the time that it holds, then the columns, those that are not known yet included.
SLOT: Final = 64
COLUMNS: Final = SLOT - 1
HEADER: Final = (MAGIC, VERSION, SLOT, *(step.kept for step in Step))
SIZE: Final = PAGE + sum(step.kept for step in Step) * SLOT * WORD

#: A slot that holds no time: it is about to hold another one. Times have the bits below.
NO_TIME: Final = 1 << 63
TIME_MASK: Final = NO_TIME - 1
MOST: Final = (1 << 64) - 1


@implementer(IHistory)
class FileHistory:
    """Rows in a file of 1.4 MB, mapped into memory and shared with the kernel.

    Three rings of slots, for minutes, hours and days: each time has its place in the ring, and
    a slot says which time it holds. One that holds another is emptied first, so that a process
    that dies at any point leaves at worst a part of the last row uncounted, and never a number
    in another's time. Only a power cut can lose what is not flushed.

    A slot has room for 63 columns, and those without a meaning yet are 0. So new columns may
    come at the end with no new version: an old file has zeros there, and keeps all else.

    A file that is no history, or one of another version, is set aside as ``NAME.damaged-N``, and
    all starts anew. Raises ``OSError`` where the file can't be opened or made. One process
    writes at a time, and one thread: ``flush`` alone may be called from another meanwhile.
    """

    _log = Logger(namespace="quota")

    def __init__(self, path: Path) -> None:
        content = _header().ljust(SIZE, b"\0")
        self._file = MappedWords(path, content, _is_history, self._log, "a history of requests")
        self._words = self._file.words

    def add(self, moment: float, row: Sequence[int]) -> None:
        """See ``IHistory``. A number that would not fit into 64 bits stays the largest."""
        for step in Step:
            first = self._slot_for(step, int(moment // step.seconds)) + 1
            for column, amount in enumerate(row, first):
                if amount:
                    self._words[column] = min(self._words[column] + amount, MOST)
        self._file.is_flushed = False

    def rows(self, step: Step, until: float, count: int) -> list[tuple[float, Counters]]:
        """See ``IHistory``."""
        last = int(until // step.seconds)
        return [
            (number * step.seconds, Counters(self._row(step, number)))
            for number in range(last - count + 1, last + 1)
        ]

    def flush(self) -> None:
        """Bring all to the disk, if it has changed. Raises ``OSError``."""
        self._file.flush()

    def close(self) -> None:
        """Flush and unmap. Raises ``OSError`` where the disk fails, and is closed nonetheless."""
        self._file.close()

    def _row(self, step: Step, number: int) -> list[int]:
        slot = _place(step, number)
        if self._words[slot] != number & TIME_MASK:
            return [0] * WIDTH
        return self._words[slot + 1 : slot + 1 + WIDTH].tolist()

    def _slot_for(self, step: Step, number: int) -> int:
        """The slot of this time. It is emptied where it holds another: each store happens before

        the next, also for who looks at the file after a kill.
        """
        slot = _place(step, number)
        if self._words[slot] != number & TIME_MASK:
            self._words[slot] = NO_TIME
            self._words[slot + 1 : slot + SLOT] = _ZEROS
            self._words[slot] = number & TIME_MASK
        return slot


def _place(step: Step, number: int) -> int:
    """Where the slot of a time begins, in words."""
    return _RINGS[step] + number % step.kept * SLOT


def _rings() -> dict[Step, int]:
    """Where each ring begins, in words."""
    begin, rings = PAGE // WORD, {}
    for step in Step:
        rings[step] = begin
        begin += step.kept * SLOT
    return rings


def _header() -> bytes:
    words = memoryview(bytearray(len(HEADER) * WORD)).cast("Q")
    for place, word in enumerate(HEADER):
        words[place] = word
    return words.tobytes()


def _is_history(path: Path) -> bool:
    if not path.is_file() or path.stat().st_size != SIZE:
        return False
    with path.open("rb") as file:
        return file.read(len(HEADER) * WORD) == _header()


_RINGS: Final = _rings()
_ZEROS: Final = memoryview(bytes(COLUMNS * WORD)).cast("Q")
