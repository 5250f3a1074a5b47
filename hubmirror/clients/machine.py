"""Files of the machine that a client runs on: read, written in one step, removed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from tempfile import NamedTemporaryFile
from typing import Final

from hubmirror.clients.files import SetupError

__all__ = ["Machine"]

#: The mode of a file that is new.
_MODE: Final = 0o644


class Machine:
    """The files of a machine whose ``/`` is at ``root``. What fails raises ``SetupError``."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root

    def look(self, path: PurePosixPath) -> bytes | None:
        """The bytes of the file, None where there is none."""
        try:
            return self._real(path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise SetupError(f"{path} can't be read: {_reason(error)}") from error

    def names(self, folder: PurePosixPath) -> list[str]:
        """The names of what is in the folder, in their order; none where there is none."""
        try:
            return sorted(os.listdir(self._real(folder)))
        except OSError:
            return []

    def mode(self, path: PurePosixPath) -> int | None:
        """The permissions of the file, None where there is none."""
        try:
            return stat.S_IMODE(self._real(path).stat().st_mode)
        except OSError:
            return None

    def write(self, path: PurePosixPath, content: bytes, mode: int | None = None) -> list[str]:
        """Have ``content`` there at once or not at all; the folders that were made for it.

        The owner stays who it was, and so does the mode unless one is given.
        """
        real = self._real(path)
        try:
            made = self._make_folders(real.parent)
            before = real.stat() if real.exists() else None
            with NamedTemporaryFile(dir=real.parent, prefix=f".{real.name}.", delete=False) as new:
                try:
                    new.write(content)
                    new.flush()
                    os.fchmod(new.fileno(), _mode(mode, before))
                    if before is not None and os.geteuid() == 0:
                        os.fchown(new.fileno(), before.st_uid, before.st_gid)
                    os.fsync(new.fileno())
                    os.replace(new.name, real)
                except BaseException:
                    os.unlink(new.name)
                    raise
            _sync(real.parent)
        except OSError as error:
            raise SetupError(f"{path} can't be written: {_reason(error)}") from error
        return [str(self._named(folder)) for folder in made]

    def remove(self, path: PurePosixPath) -> None:
        """Remove the file, if it is there."""
        try:
            self._real(path).unlink()
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise SetupError(f"{path} can't be removed: {_reason(error)}") from error

    def remove_empty(self, folders: Iterable[str]) -> list[str]:
        """Remove those of ``folders`` that are empty, the last one first; the others."""
        left = []
        for folder in sorted(folders, reverse=True):
            try:
                self._real(PurePosixPath(folder)).rmdir()
            except FileNotFoundError:
                continue
            except OSError:  # there is something in it
                left.append(folder)
        return left

    def _real(self, path: PurePosixPath) -> Path:
        """Where it is, links followed, but not out of the root."""
        real = (self._root / str(path).lstrip("/")).resolve()
        if not real.is_relative_to(self._root.resolve()):
            raise SetupError(f"{path} is a link to somewhere outside of {self._root}")
        return real

    def _named(self, real: Path) -> PurePosixPath:
        return PurePosixPath("/") / real.relative_to(self._root.resolve())

    def _make_folders(self, folder: Path) -> list[Path]:
        missing = [one for one in (folder, *folder.parents) if not one.exists()][::-1]
        for one in missing:
            one.mkdir(mode=0o755)
            one.chmod(0o755)  # whatever the umask: clients read there that are not root
        return missing


def _mode(mode: int | None, before: os.stat_result | None) -> int:
    if mode is not None:
        return mode
    return _MODE if before is None else stat.S_IMODE(before.st_mode)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: OSError) -> str:
    reason = os.strerror(error.errno).lower() if error.errno else str(error)
    return f"{reason}: run this as root" if isinstance(error, PermissionError) else reason
