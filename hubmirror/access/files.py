"""Small files that an operator's commands write and the daemon reads again when they change."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Generic, TypeVar

from twisted.logger import Logger

from hubmirror.errors import HubmirrorError

__all__ = ["AccessFileError", "WatchedFile", "editing", "write_private"]

T = TypeVar("T")

#: Between two looks at a file, in seconds.
LOOK: Final = 1.0
#: The longest file that is read, in bytes.
MAX_FILE: Final = 16 * 1024 * 1024


class AccessFileError(HubmirrorError):
    """A file of users, robots or keys can't be used; the message says which and why."""


class WatchedFile(Generic[T]):
    """What stands in ``path``, as it is now: a file that is missing is an empty one.

    Looking is a stat, once a second at most; reading blocks, for as long as a small file takes.
    What can't be read or parsed (``ValueError``) is told in the log, and what was there before
    holds; at the first look it raises ``AccessFileError``. ``seconds`` is any clock.
    """

    _log = Logger()

    def __init__(
        self, path: Path, parse: Callable[[bytes], T], seconds: Callable[[], float]
    ) -> None:
        self.path = path
        self._parse = parse
        self._seconds = seconds
        self._stamp = _stamp(path)
        self._looked = seconds()
        self._value = self._read()

    @property
    def value(self) -> T:
        """What stands there."""
        if not 0 <= self._seconds() - self._looked < LOOK:
            self.look()
        return self._value

    def look(self) -> None:
        """See at once whether it has changed."""
        self._looked = self._seconds()
        stamp = _stamp(self.path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._value = self._read()
        except AccessFileError as error:
            self._log.error("what was there before holds: {why}", why=str(error))

    def _read(self) -> T:
        try:
            return self._parse(_bytes(self.path))
        except OSError as error:
            raise AccessFileError(f"{self.path} can't be read: {error.strerror}") from error
        except ValueError as error:
            raise AccessFileError(f"{self.path}: {error}") from None


@contextmanager
def editing(path: Path) -> Iterator[bytes]:
    """What stands in ``path``, for a command that is about to replace it: one at a time.

    The folder is made where it is missing. Raises ``AccessFileError``.
    """
    try:
        _make_folder(path.parent)
        lock = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise AccessFileError(f"{path.parent} can't be used: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            text = _bytes(path)
        except OSError as error:
            raise AccessFileError(f"{path} can't be read: {error.strerror}") from error
        yield text
    finally:
        os.close(lock)


def write_private(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path`` in one step that outlives a power cut, for its owner alone.

    The owner is that of the file before, or else the folder's: what root writes is still the
    daemon's to read. Raises ``AccessFileError``.
    """
    draft = path.with_name(f".{path.name}.new")
    try:
        _make_folder(path.parent)
        owner = _owner(path) or _owner(path.parent)
        draft.unlink(missing_ok=True)  # left by a crash; O_EXCL then follows no link
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
            if owner is not None and os.geteuid() == 0:
                os.fchown(file.fileno(), *owner)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise AccessFileError(f"{path} can't be written: {error.strerror}") from error


def _bytes(path: Path) -> bytes:
    """What stands in ``path``. Raises ``ValueError`` where others could have written it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return b""
    with os.fdopen(descriptor, "rb") as file:
        if os.fstat(descriptor).st_mode & 0o022:
            raise ValueError("other users may write it: chmod 600 it")
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise ValueError(f"it has more than {MAX_FILE} bytes")
    return data


def _stamp(path: Path) -> Hashable:
    """What tells one state of a file from another; None where there is none to be seen."""
    try:
        seen = path.stat()
    except OSError:
        return None
    return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = _owner(folder.parent)
    if owner is not None and os.geteuid() == 0:
        os.chown(folder, *owner)


def _owner(path: Path) -> tuple[int, int] | None:
    try:
        seen = path.stat()
    except OSError:
        return None
    return seen.st_uid, seen.st_gid


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
