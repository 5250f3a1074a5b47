"""What the index keeps, as rows: a table a kind, and a seal that shows a changed byte.

SQLite's own checks say "ok" when a byte changes within a row; the seal does not.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any, Final, Generic, TypeVar

from attrs import frozen

from hubmirror.cache.interfaces import BlobRow, Link, Listing, Publicity, TagEntry
from hubmirror.naming import Repository, parse_digest

__all__ = [
    "BATCH",
    "BLOBS",
    "LINKS",
    "LISTINGS",
    "PINS",
    "PUBLICITY",
    "TABLES",
    "TAGS",
    "Change",
    "Drop",
    "Put",
    "Row",
    "Table",
    "Where",
    "dropped_blob",
    "seal",
]

T = TypeVar("T")

#: Column values in the table's order; a stored row ends in its sequence and its seal.
Row = tuple[Any, ...]

#: The columns, and the texts that they must equal.
Where = dict[str, str]


@frozen
class Put:
    """Keep a row, or replace the one with its key. ``row`` has neither sequence nor seal yet."""

    table: str
    row: Row


@frozen
class Drop:
    """Forget the rows of a table that match."""

    table: str
    where: Where


Change = Put | Drop


@frozen
class Table(Generic[T]):
    """One kind of record: its columns, those of the key first, and its way in and out."""

    name: str
    key: tuple[str, ...]
    values: tuple[str, ...]
    to_row: Callable[[T], Row]
    to_record: Callable[[Row], T]

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of a stored row."""
        return (*self.key, *self.values, "sequence", "seal")

    def put(self, record: T) -> Put:
        """The change that keeps ``record``. Raises ``ValueError`` for text outside Unicode."""
        row = self.to_row(record)
        seal(self.name, row, 0)  # what can't be written fails here, and not amidst a batch
        return Put(self.name, row)

    def sealed(self, row: Row, sequence: int) -> Row:
        """The row as it is stored by the batch ``sequence``."""
        return (*row, sequence, seal(self.name, row, sequence))

    def is_intact(self, stored: Row) -> bool:
        """Whether a stored row is as it was written."""
        *row, sequence, found = stored
        return bool(found == seal(self.name, row, sequence))

    def record(self, stored: Row) -> T:
        """The record that an intact stored row holds."""
        return self.to_record(stored[:-2])


def seal(table: str, values: Iterable[Any], sequence: object) -> bytes:
    """A checksum of a row: of all its values, its table and the batch that wrote it.

    The values may be of any of SQLite's types: a damaged row's are.
    """
    digest = blake2b(digest_size=8)
    for value in (table, *values, sequence):
        kind, data = _encoded(value)
        digest.update(b"%b%d:" % (kind, len(data)))
        digest.update(data)
    return digest.digest()


def _encoded(value: Any) -> tuple[bytes, bytes]:
    if value is None:
        return b"n", b""
    if isinstance(value, str):
        return b"t", value.encode()
    if isinstance(value, bytes):
        return b"b", value
    if isinstance(value, float):
        return b"r", struct.pack(">d", value)
    return b"i", b"%d" % value


def _pair(row: Row) -> tuple[Repository, str]:
    return Repository(row[0], row[1]), row[2]


def _publicity(row: Row) -> tuple[Repository, Publicity]:
    return Repository(row[0], row[1]), Publicity(bool(row[2]), row[3])


def _tag(row: Row) -> TagEntry:
    registry, name, tag, variant, digest, media_type, checked, deleted = row
    repository = Repository(registry, name)
    return TagEntry(
        repository, tag, variant, parse_digest(digest), media_type, checked, bool(deleted)
    )


def _listing(row: Row) -> Listing:
    registry, name, page, headers, body, checked = row
    fields = tuple((field, value) for field, value in json.loads(headers))
    return Listing(Repository(registry, name), page, fields, body, checked)


def _drops(row: Row) -> tuple[Drop, ...]:
    return tuple(Drop(table, where) for table, where in json.loads(row[1]))


TAGS: Final = Table[TagEntry](
    "tags",
    ("registry", "name", "tag", "variant"),
    ("digest", "media_type", "checked", "deleted"),
    lambda entry: (
        *_key(entry.repository),
        entry.tag,
        entry.variant,
        str(entry.digest),
        entry.media_type,
        float(entry.checked),
        int(entry.deleted),
    ),
    _tag,
)

LINKS: Final = Table[Link](
    "links",
    ("registry", "name", "digest"),
    ("media_type",),
    lambda link: (*_key(link.repository), str(link.digest), link.media_type),
    lambda row: Link(Repository(row[0], row[1]), parse_digest(row[2]), row[3]),
)

PUBLICITY: Final = Table[tuple[Repository, Publicity]](
    "publicity",
    ("registry", "name"),
    ("is_public", "checked"),
    lambda known: (*_key(known[0]), int(known[1].is_public), float(known[1].checked)),
    _publicity,
)

LISTINGS: Final = Table[Listing](
    "listings",
    ("registry", "name", "page"),
    ("headers", "body", "checked"),
    lambda listing: (
        *_key(listing.repository),
        listing.key,
        json.dumps(listing.headers),
        bytes(listing.body),
        float(listing.checked),
    ),
    _listing,
)

PINS: Final = Table[tuple[Repository, str]](
    "pins",
    ("registry", "name", "reference"),
    (),
    lambda pin: (*_key(pin[0]), pin[1]),
    _pair,
)

BLOBS: Final = Table[BlobRow](
    "blobs",
    ("digest",),
    ("size", "accessed"),
    lambda blob: (str(blob.digest), int(blob.size), float(blob.accessed)),
    lambda row: BlobRow(parse_digest(row[0]), row[1], row[2]),
)

#: One row: the sequence is the last batch's number, the record what that batch dropped. A file
#: that lags one batch behind the other catches up by it.
BATCH: Final = Table[tuple[Drop, ...]](
    "batch",
    ("id",),
    ("drops",),
    lambda drops: (1, json.dumps([(drop.table, drop.where) for drop in drops])),
    _drops,
)

TABLES: Final[dict[str, Table[Any]]] = {
    table.name: table for table in (TAGS, LINKS, PUBLICITY, LISTINGS, PINS, BLOBS, BATCH)
}


def dropped_blob(digest: str) -> tuple[Drop, ...]:
    """The changes that forget a blob: its row, and all that points to it."""
    return tuple(Drop(table.name, {"digest": digest}) for table in (BLOBS, LINKS, TAGS))


def _key(repository: Repository) -> tuple[str, str]:
    return repository.registry, repository.name
