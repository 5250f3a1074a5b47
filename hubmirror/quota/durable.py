"""Files that are there whole or not at all, and files that are put out of the way."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path

__all__ = ["create", "set_aside", "sync_folder"]


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
