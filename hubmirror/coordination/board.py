"""The page that the processes of one mirror share: words, each of which one process writes.

So nothing is locked, and nobody who dies leaves anything half done: a word is there or not.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["CLIENT_SLOTS", "COUNTS", "MARKED", "SEATS", "STRIPES", "Board", "Seat"]

#: The words at the beginning: a magic number, the layout's version, and two of ``Versions``.
MAGIC: Final = int.from_bytes(b"hubboard", "big")
LAYOUT: Final = 1
EPOCH: Final = 2
HEADER: Final = 8
#: How many versions there are; keys share them by their hash.
STRIPES: Final = 4096
#: The bits of a half of the marks.
MARKED: Final = 1 << 19
MARKS: Final = 2 * MARKED // 64
#: How many workers may be there at once, those that leave included.
SEATS: Final = 32
#: The words of a seat: of its lease, of what it counts, of what has been taken over of that, and
#: of its clients with their connections, two each.
LEASE: Final = 8
COUNTS: Final = 512
CLIENT_SLOTS: Final = 512
SEAT: Final = LEASE + 2 * COUNTS + 2 * CLIENT_SLOTS
WORDS: Final = HEADER + STRIPES + MARKS + SEATS * SEAT


class Board:
    """The file ``path``, mapped: made where it is missing or of another layout.

    What it holds outlives every process, and a power cut may lose it. Raises ``OSError``.
    """

    def __init__(self, path: Path) -> None:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # All its room at once: a store where the disk has none would kill the process.
            if os.fstat(fd).st_size != WORDS * 8:
                os.ftruncate(fd, 0)
                os.posix_fallocate(fd, 0, WORDS * 8)
            self._map = mmap.mmap(fd, WORDS * 8, mmap.MAP_SHARED)
        finally:
            os.close(fd)
        self._words = memoryview(self._map).cast("Q")
        if (self._words[0], self._words[1]) != (MAGIC, LAYOUT):
            self._map[:] = bytes(WORDS * 8)
            self._words[0], self._words[1] = MAGIC, LAYOUT
        self.epoch = self._words[EPOCH : EPOCH + 1]
        self.stripes = self._words[HEADER : HEADER + STRIPES]
        self.marks = self._words[HEADER + STRIPES : HEADER + STRIPES + MARKS]
        self.seats = tuple(self._seats())

    def _seats(self) -> Iterator[Seat]:
        for number in range(SEATS):
            start = HEADER + STRIPES + MARKS + number * SEAT
            yield Seat(self._words[start : start + SEAT])


class Seat:
    """The part of the board that belongs to one worker.

    ``lease`` and ``taken`` are the keeper's to write, but for what ``leases`` says; ``counts``
    and ``clients`` the worker's. Counts only grow, whoever sits here.
    """

    def __init__(self, words: memoryview) -> None:
        self.lease = words[:LEASE]
        self.counts = words[LEASE : LEASE + COUNTS]
        self.taken = words[LEASE + COUNTS : LEASE + 2 * COUNTS]
        self.clients = words[LEASE + 2 * COUNTS :]

    def begin(self) -> None:
        """No process of this mirror runs yet: leases are of a time that is over."""
        self.lease[:] = memoryview(bytes(self.lease.nbytes)).cast("Q")
        self.vacate()

    @property
    def is_occupied(self) -> bool:
        """Whether a worker sits here."""
        return bool(self.lease[-1])

    def occupy(self) -> None:
        """A worker sits here."""
        self.lease[-1] = 1

    def vacate(self) -> None:
        """Who sat here is gone, and its connections with it."""
        self.lease[-1] = 0
        self.clients[:] = memoryview(bytes(self.clients.nbytes)).cast("Q")
