"""The data folder: what the daemon keeps, for itself alone."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from hubmirror.errors import HubmirrorError

__all__ = ["DataFolder", "DataFolderError"]


class DataFolderError(HubmirrorError):
    """The data folder can't be used; the message says which and why."""


class DataFolder:
    """A folder (mode 0700) that one daemon holds, from ``open`` until ``close`` or its death."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def open(cls, path: Path) -> DataFolder:
        """Make the folder where it is missing and lock it; raises ``DataFolderError``."""
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DataFolderError(
                f"the data folder {path} can't be used: {error.strerror}"
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise DataFolderError(
                f"the data folder {path} is in use by another hubmirror: give this one its own"
                " with --data"
            ) from None
        return cls(path, lock)

    def close(self) -> None:
        """Let another daemon have it."""
        os.close(self._lock)
