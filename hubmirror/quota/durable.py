"""Files that are there whole or not at all, and files that are put out of the way."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from itertools import count
from pathlib import Path

from twisted.logger import Logger

__all__ = ["MappedWords", "create", "set_aside", "sync_folder"]


class MappedWords:
    """A file of 64-bit words in the machine's byte order, mapped into memory.

    ``words`` are shared with the kernel: a store outlives the process, and what is not flushed is
    lost by a power cut alone. A file that is not as ``is_right`` wants it is set aside, with
    ``log`` told ``what`` it is not and what follows; a missing one is made of ``content``.
    Raises ``OSError`` where it can't be opened or made.
    """

    def __init__(
        self,
        path: Path,
        content: bytes,
        is_right: Callable[[Path], bool],
        log: Logger,
        what: str,
    ) -> None:
        if os.path.lexists(path) and not is_right(path):
            aside = set_aside(path)
            log.error(
                "{path} is not {what}: it is now {aside}, and counting starts anew",
                path=str(path),
                what=what,
                aside=str(aside),
            )
        if not path.exists():
            create(path, content)
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            self._map = mmap.mmap(self._fd, len(content), mmap.MAP_SHARED)
        except BaseException:
            os.close(self._fd)
            raise
        self.words = memoryview(self._map).cast("Q")
        self.is_flushed = True

    def flush(self) -> None:
        """Bring the words to the disk, unless ``is_flushed``. Raises ``OSError``.

        Blocks; may be called from any thread.
        """
        if self.is_flushed:
            return
        self.is_flushed = True
        try:
            # Not mmap.flush(): CPython holds the interpreter's lock over that. The kernel
            # writes a file's mapped pages on fsync, too.
            os.fsync(self._fd)
        except OSError:
            self.is_flushed = False
            raise

    def close(self) -> None:
        """Flush and unmap. Raises ``OSError`` where the disk fails, and is closed nonetheless."""
        try:
            self.flush()
        finally:
            self.words.release()
            self._map.close()
            os.close(self._fd)


def create(path: Path, content: bytes) -> None:
    """Make the file ``path`` with ``content``, for its owner alone; durable, and whole.

    A process that dies meanwhile leaves ``NAME.new``, which the next one overwrites. Every block
    is written, none left sparse: a store into a mapped page that the disk has no room for would
    kill the process. Raises ``OSError``.
    """
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(fd)
    unfinished.rename(path)
    sync_folder(path.parent)


def set_aside(path: Path, companions: tuple[str, ...] = ()) -> Path:
    """Rename ``path`` to the first free ``NAME.damaged-N``, and return that, for a person to see.

    ``companions`` are the endings of files beside it that go with it; they go first, so that
    whoever dies in between leaves none that a new file would be taken to belong to. Raises
    ``OSError``.
    """
    names = (path.with_name(f"{path.name}.damaged-{number}") for number in count(1))
    aside = next(name for name in names if not os.path.lexists(name))
    for ending in companions:
        companion = path.with_name(path.name + ending)
        if os.path.lexists(companion):
            companion.rename(aside.with_name(aside.name + ending))
    path.rename(aside)
    return aside


def sync_folder(folder: Path) -> None:
    """Bring the names in ``folder`` to the disk. Raises ``OSError``."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
