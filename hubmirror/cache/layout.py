"""Where things lie in the cache's folder.

Blobs lie as in an OCI image layout (image-spec 1.1, ``image-layout.md``), so that other tools can
read them; what is not whole yet lies beside them, on the same filesystem.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from attrs import frozen

from hubmirror.cache.files import Files
from hubmirror.errors import DigestInvalid
from hubmirror.naming import Digest

__all__ = ["ALGORITHMS", "DATA", "RECORD", "TEMPORARY", "Layout", "digest_of"]

ALGORITHMS: Final = ("sha256", "sha512")
#: The endings in ``partial/``: a blob's bytes so far, which of them are there, and what is
#: being written and has no name of its own yet.
DATA: Final = ".data"
RECORD: Final = ".pieces"
TEMPORARY: Final = ".temp"

_MARKER: Final = b'{"imageLayoutVersion":"1.0.0"}\n'


@frozen
class Layout:
    """The paths below the cache's folder."""

    root: Path

    @property
    def partial(self) -> Path:
        """The folder of all that is not whole, or not verified."""
        return self.root / "partial"

    def blobs(self, algorithm: str) -> Path:
        """The folder of one algorithm's blobs."""
        return self.root / "blobs" / algorithm

    def blob(self, digest: Digest) -> Path:
        """A whole, verified blob."""
        return self.blobs(digest.algorithm) / digest.encoded

    def data(self, digest: Digest) -> Path:
        """A partial blob's sparse file."""
        return self.partial / f"{digest.algorithm}-{digest.encoded}{DATA}"

    def record(self, digest: Digest) -> Path:
        """What is known of a partial blob's pieces."""
        return self.partial / f"{digest.algorithm}-{digest.encoded}{RECORD}"

    def temporary(self) -> Path:
        """A path that nobody else uses; a sweep removes what is left there."""
        return self.partial / f"{secrets.token_hex(8)}{TEMPORARY}"

    def prepare(self, files: Files) -> None:
        """Make the folders, durably. The marker needs no sync: each start sees to it."""
        for folder in (self.partial, self.root / "blobs", *map(self.blobs, ALGORITHMS)):
            files.make_folder(folder)
        files.fsync_folder(self.root / "blobs")
        files.fsync_folder(self.root)
        marker = self.root / "oci-layout"
        if not marker.is_file() or marker.read_bytes() != _MARKER:
            fd = files.open(marker, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            try:
                files.pwrite(fd, _MARKER, 0)
            finally:
                files.close(fd)


def digest_of(stem: str) -> Digest | None:
    """The digest that ``sha256-<hex>`` spells, or None."""
    algorithm, _, encoded = stem.partition("-")
    try:
        return Digest(algorithm, encoded)
    except DigestInvalid:
        return None
