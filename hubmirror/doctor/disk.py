"""The data folder: whose it is, whether it can be written and synced, and how much fits."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

from hubmirror.doctor.findings import Finding, fail, ok, warn

__all__ = ["disk_findings"]

#: A sync that takes longer than this, in seconds, holds clients up: each blob waits for one.
_SLOW: Final = 0.5
#: So many files at least should still fit: a layer is a file.
_FILES: Final = 10_000
#: On these locks and mapped files are not what the index and the counts rely on.
_REMOTE: Final = frozenset(("nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph", "glusterfs"))
_TRIED: Final = b"x" * 65536


def disk_findings(data: Path, min_free: int, mounts: Path = Path("/proc/mounts")) -> list[Finding]:
    """What is found about the folder ``data``; ``min_free`` is in bytes."""
    return list(_look(data, min_free, mounts))


def _look(data: Path, min_free: int, mounts: Path) -> Iterator[Finding]:
    try:
        folder = _existing(data)
        if folder != data:
            yield ok("data", f"{data} is not there yet: the mirror makes it in {folder}")
        else:
            yield from _rights(data)
        yield from _room(folder, min_free)
        kind = _kind_of(folder, mounts)
    except OSError as error:
        yield fail("data", f"{data} can't be looked at: {_reason(error)}", _whose(data))
        return
    if kind in _REMOTE:
        yield warn(
            "disk",
            f"{folder} is on another machine ({kind})",
            "put the data folder on a disk of this one: locks are not to be relied on there",
        )
    yield _written(folder)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    while not folder.exists():
        folder = folder.parent
    return folder


def _rights(data: Path) -> Iterator[Finding]:
    status = data.stat()
    if status.st_mode & 0o077:
        yield warn(
            "data",
            f"{data} may be looked into by others (mode {status.st_mode & 0o777:o})",
            f"chmod 700 {data}: private images and keys are in it",
        )
    elif status.st_uid != os.geteuid() and os.geteuid() != 0:
        yield fail("data", f"{data} belongs to user {status.st_uid}, not to you", _whose(data))
    else:
        yield ok("data", f"{data} is its owner's alone")


def _room(folder: Path, min_free: int) -> Iterator[Finding]:
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    if free < min_free:
        yield fail(
            "disk",
            f"{_size(free)} are free for {folder}, less than min_free ({_size(min_free)})",
            "make room, or have the mirror keep less: nothing new is kept as it is",
        )
    elif free < 2 * min_free:
        yield warn("disk", f"{_size(free)} are free for {folder}", "make room soon")
    else:
        yield ok("disk", f"{_size(free)} are free for {folder}")
    if found.f_files > 0 and found.f_favail < _FILES:
        yield warn(
            "disk", f"only {found.f_favail} more files fit (inodes)", "remove small files there"
        )


def _written(folder: Path) -> Finding:
    began = time.monotonic()
    try:
        with NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
            file.write(_TRIED)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return fail("disk", f"{folder} can't be written: {_reason(error)}", _whose(folder))
    seconds = time.monotonic() - began
    if seconds > _SLOW:
        return warn(
            "disk",
            f"a small file takes {seconds:.1f} s to be on the disk",
            "is the disk busy, or worn? Each blob waits for that",
        )
    return ok("disk", f"a small file is on the disk in {1000 * seconds:.0f} ms")


def _kind_of(folder: Path, mounts: Path) -> str:
    """The kind of the file system that ``folder`` is on, "" where that is not known."""
    path = folder.resolve()
    try:
        rows = [line.split() for line in mounts.read_text().splitlines()]
    except OSError:
        return ""
    found = [row for row in rows if len(row) > 2 and path.is_relative_to(row[1])]
    return max(found, key=lambda row: len(row[1]))[2] if found else ""


def _size(size: int) -> str:
    return f"{size / (1 << 30):.1f} GiB"


def _whose(folder: Path) -> str:
    return f"see who owns {folder} and how it is mounted, and run this as the mirror's user"


def _reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else str(error)
