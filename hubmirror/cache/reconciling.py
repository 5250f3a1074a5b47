"""Bringing the index into line with the blobs that are there. Blocks, as ``TwinFiles`` does."""

# ruff: noqa: S608 - tables and columns are constants of this package; values are parameters
from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from hubmirror.cache.interfaces import BlobRow
from hubmirror.cache.rows import BLOBS, LINKS, TAGS, Change, dropped_blob
from hubmirror.cache.twin_files import TwinFiles
from hubmirror.naming import Digest

__all__ = ["Reconciliation"]

#: How many blobs are dropped in one batch.
_CHUNK: Final = 1000


class Reconciliation:
    """One pass: ``add`` all blobs, then ``finish``. New rows are as if asked for at ``now``."""

    def __init__(self, files: TwinFiles, now: float) -> None:
        self._files = files
        self._now = now
        self._since = files.number
        #: The rows of which the blob has not been met, by digest: what came before the pass.
        self._unmet: dict[str, int] = dict(files.query(f"SELECT digest, size FROM {BLOBS.name}"))

    def add(self, blobs: Iterable[tuple[Digest, int]]) -> None:
        """These are there, with these sizes in bytes: give them rows where they have none."""
        changes = [
            BLOBS.put(BlobRow(digest, size, self._now))
            for digest, size in blobs
            if self._unmet.pop(str(digest), None) != size
        ]
        self._write(changes)

    def finish(self) -> None:
        """Drop the rows of what was not added, and links and tags to what has no row."""
        self._drop(list(self._unmet))
        for table in (LINKS, TAGS):
            orphans = self._files.query(
                f"SELECT DISTINCT digest FROM {table.name} WHERE sequence <= ?"
                f" AND digest NOT IN (SELECT digest FROM {BLOBS.name})",
                (self._since,),
            )
            self._drop([digest for (digest,) in orphans])

    def _drop(self, digests: Sequence[str]) -> None:
        for start in range(0, len(digests), _CHUNK):
            chunk = digests[start : start + _CHUNK]
            self._write([change for digest in chunk for change in dropped_blob(digest)])

    def _write(self, changes: Sequence[Change]) -> None:
        self._files.write([lambda _: changes])
