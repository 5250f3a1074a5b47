"""Drawing what is watched."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import termios
from collections.abc import Iterator
from contextlib import suppress
from typing import NoReturn, TextIO

import pytest

from hubmirror.cli.operating.screen import Blocks, Screen


def test_blocks() -> None:
    """One after another, an empty line in between."""
    stream = io.StringIO()
    with Blocks(stream) as blocks:
        blocks.draw(["a", "b"])
        blocks.draw(["c"])
    assert stream.getvalue() == "a\nb\n\nc\n\n"


def draw_and_interrupt(stream: TextIO, lines: list[str]) -> NoReturn:
    """What Ctrl-C does."""
    with Screen(stream) as screen:
        screen.draw(lines)
        raise KeyboardInterrupt


def drawn(rows: int, columns: int, lines: list[str]) -> str:
    """What a terminal of this size gets, until somebody interrupts it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    stream = os.fdopen(theirs, "w")
    with pytest.raises(KeyboardInterrupt):
        draw_and_interrupt(stream, lines)
    stream.close()
    written = b"".join(until_closed(ours))
    os.close(ours)
    return written.decode().replace("\r\n", "\n")


def until_closed(terminal: int) -> Iterator[bytes]:
    """All that was written to it. It comes in parts, whatever was flushed at once."""
    with suppress(OSError):
        while part := os.read(terminal, 65536):
            yield part


def test_a_screen() -> None:
    """Each line takes the place of the one that was there; the cursor comes back."""
    assert drawn(24, 80, ["a", "b"]) == "\x1b[?25l\x1b[Ha\x1b[K\nb\x1b[K\x1b[J\x1b[?25h\n"


def test_a_small_screen() -> None:
    """It does not scroll: what has no room is left out."""
    written = drawn(3, 2, ["abc", "def", "ghi"])
    assert "ab\x1b[K\nde\x1b[K\x1b[J" in written
    assert "c" not in written
    assert "g" not in written


def test_a_screen_that_does_not_know_its_size() -> None:
    """It is taken for a usual one."""
    assert drawn(0, 0, ["a" * 99]).count("a") == 80
