"""A set of keys that one process tells of and others look at; it may seem to hold more."""

from __future__ import annotations

from hashlib import blake2b

from hubmirror.coordination.board import MARKED, Board

__all__ = ["Marks"]

#: How many keys are marked before the older half of the marks is wiped off.
_TURN = MARKED // 16


class Marks:
    """Bits on the board, by a key's hash: in two halves, each the younger one in its turn.

    What was marked is found until as many as ``MARKED // 16`` others have been marked since. It
    tells nothing of the key: a hash can't be turned round.
    """

    def __init__(self, board: Board) -> None:
        middle = len(board.marks) // 2
        self._halves = [board.marks[:middle], board.marks[middle:]]
        self._young = 0
        self._marked = 0

    def clear(self) -> None:
        """Nothing is marked."""
        for half in self._halves:
            _wipe(half)

    def mark(self, key: bytes) -> None:
        """Tell of ``key``."""
        if self._marked >= _TURN:
            self._young, self._marked = 1 - self._young, 0
            _wipe(self._halves[self._young])
        self._marked += 1
        word, bit = _place(key)
        self._halves[self._young][word] |= bit

    def has(self, key: bytes) -> bool:
        """Whether ``key`` may have been marked."""
        word, bit = _place(key)
        return any(half[word] & bit for half in self._halves)


def _place(key: bytes) -> tuple[int, int]:
    number = int.from_bytes(blake2b(key, digest_size=8).digest(), "big") % MARKED
    return number // 64, 1 << number % 64


def _wipe(words: memoryview) -> None:
    words[:] = memoryview(bytes(words.nbytes)).cast("Q")
