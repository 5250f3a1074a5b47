"""Files that hold keys: never readable by others, not for a moment, and whole or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hubmirror.certificates.files import CertificateError

__all__ = ["make_private_folder", "write_file"]


def make_private_folder(folder: Path) -> None:
    """Make ``folder``, or make it its owner's alone (0700). Raises ``CertificateError``."""
    with _errors_name(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)


def write_file(path: Path, data: bytes, mode: int) -> None:
    """Put ``data`` at ``path`` in one step that outlives a power cut.

    The file has ``mode`` from its first byte on. Raises ``CertificateError``.
    """
    draft = path.with_name(f".{path.name}.new")
    with _errors_name(path):
        draft.unlink(missing_ok=True)  # left by a crash; O_EXCL then follows no link
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` last."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _errors_name(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CertificateError(f"{path}: can't be written: {error.strerror}") from error
