"""The data folder: what the daemon keeps, for itself alone."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Final

from hubmirror.errors import HubmirrorError

__all__ = ["DataFolder", "DataFolderError"]


#: Between two tries, in seconds.
_PAUSE: Final = 0.02


class DataFolderError(HubmirrorError):
    """The data folder can't be used; the message says which and why."""


class DataFolder:
    """A folder (mode 0700) that one daemon holds, from ``open`` until ``close`` or its death.

    ``lock`` is the descriptor of what it is held by.
    """

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def open(cls, path: Path, patience: float = 0.0) -> DataFolder:
        """Make the folder where it is missing and lock it; raises ``DataFolderError``.

        Whoever holds it has ``patience`` seconds to end; this blocks meanwhile.
        """
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DataFolderError(
                f"the data folder {path} can't be used: {error.strerror}"
            ) from error
        if not _locked(lock, time.monotonic() + patience):
            os.close(lock)
            raise DataFolderError(
                f"the data folder {path} is in use by another hubmirror: give this one its own"
                " with --data"
            )
        return cls(path, lock)

    @property
    def lock(self) -> int:
        """The descriptor by which it is held: a process that inherits it holds it, too."""
        return self._lock

    def close(self) -> None:
        """Let another daemon have it."""
        os.close(self._lock)


def _locked(lock: int, until: float) -> bool:
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= until:
                return False
            time.sleep(_PAUSE)  # noqa: TID251 - before the reactor runs, and not for long
        else:
            return True
