"""Where what is watched is drawn, over and over: a terminal, or whatever else takes text."""

from __future__ import annotations

import os
from collections.abc import Sequence
from types import TracebackType
from typing import Final, TextIO

__all__ = ["Blocks", "Screen"]

# ECMA-48, and DEC's private mode for the cursor.
_HOME: Final = "\x1b[H"
_CLEAR_LINE: Final = "\x1b[K"
_CLEAR_REST: Final = "\x1b[J"
_HIDE_CURSOR: Final = "\x1b[?25l"
_SHOW_CURSOR: Final = "\x1b[?25h"


class Blocks:
    """Writes one block after another."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __enter__(self) -> Blocks:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Nothing is to be restored."""

    def draw(self, lines: Sequence[str]) -> None:
        """Write ``lines``, which hold no control characters, and an empty one."""
        self._stream.write("".join(f"{line}\n" for line in (*lines, "")))
        self._stream.flush()


class Screen(Blocks):
    """Draws each block over the one before. The cursor is hidden in between."""

    def __enter__(self) -> Screen:
        self._stream.write(_HIDE_CURSOR)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Show the cursor again, below what is drawn."""
        self._stream.write(f"{_SHOW_CURSOR}\n")
        self._stream.flush()

    def draw(self, lines: Sequence[str]) -> None:
        """As much of ``lines`` as there is room for, the first ones."""
        columns, rows = self._size()
        shown = [f"{line[:columns]}{_CLEAR_LINE}" for line in lines[: rows - 1]]
        self._stream.write(_HOME + "\n".join(shown) + _CLEAR_REST)
        self._stream.flush()

    def _size(self) -> tuple[int, int]:
        """Columns and rows; a terminal that does not know is taken for a usual one."""
        try:
            columns, rows = os.get_terminal_size(self._stream.fileno())
        except OSError:
            columns, rows = 0, 0
        return columns or 80, rows or 24
