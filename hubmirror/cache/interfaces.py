"""What a store and an index of kept content can do, whatever they are made of.

All methods are asynchronous and narrow, so that another store (an object store, a shared
index) can stand behind the same names.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from attrs import frozen
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from hubmirror.naming import Digest, Repository
from hubmirror.question import FileSlice, Headers

__all__ = [
    "BlobRow",
    "IBlobStore",
    "IIndex",
    "IPartial",
    "IPartialStore",
    "Link",
    "Listing",
    "Publicity",
    "TagEntry",
]


@frozen
class TagEntry:
    """What a tag was when the upstream was last asked.

    ``variant`` tells for which ``Accept`` it holds (``mirror/`` makes and reads it);
    ``checked`` is when the upstream last confirmed it, in seconds since the epoch;
    ``deleted`` that the upstream has removed the tag since, from a repository that can be read.
    """

    repository: Repository
    tag: str
    variant: str
    digest: Digest
    media_type: str
    checked: float
    deleted: bool = False


@frozen
class Link:
    """The repository's own upstream gave or confirmed this digest; the right to get it there.

    ``media_type`` is a manifest's, None for a blob.
    """

    repository: Repository
    digest: Digest
    media_type: str | None


@frozen
class BlobRow:
    """A kept blob: its size in bytes, and when it was last asked for (seconds since the epoch)."""

    digest: Digest
    size: int
    accessed: float


@frozen
class Publicity:
    """Whether the mirror's own anonymous token opened a repository, and when that was asked."""

    is_public: bool
    checked: float


@frozen
class Listing:
    """A kept answer of ``tags/list`` or ``referrers``: one page under its own ``key``."""

    repository: Repository
    key: str
    headers: Headers
    body: bytes
    checked: float


class IBlobStore(Interface):
    """Content under its digest. What is there has been verified and is whole."""

    def open(digest: Digest) -> Deferred[FileSlice | None]:
        """The whole blob, opened (it stays readable if it is removed meanwhile), or None."""

    def read(digest: Digest) -> Deferred[bytes | None]:
        """A small blob's bytes (a manifest), or None."""

    def put(digest: Digest, data: bytes) -> Deferred[None]:
        """Keep ``data``, whose digest the caller has verified. Durable when it fires.

        Fails with ``StoreFull`` or ``StoreFailed``.
        """

    def remove(digest: Digest) -> Deferred[None]:
        """Forget a blob; who has it open may go on reading. Nothing happens if it isn't there."""

    def all() -> AsyncIterator[tuple[Digest, int]]:
        """Every kept blob with its size in bytes."""

    def verify(digest: Digest) -> Deferred[bool]:
        """Whether the kept bytes still have their digest."""


class IPartial(Interface):
    """A blob that is not whole yet: a sparse file and the set of its pieces that are there."""

    digest: Digest = Attribute("What it is going to be.")
    size: int = Attribute("The blob's length in bytes.")
    validator: str | None = Attribute("The blob host's strong ETag when the pieces came.")

    def missing(start: int, end: int) -> list[tuple[int, int]]:
        """The gaps within [start, end), in order, as [start, end) pairs."""

    def available(start: int) -> int:
        """How many bytes from ``start`` on are there without a gap."""

    def write(offset: int, data: bytes) -> None:
        """Take bytes: they are readable when this returns. Raises ``StoreFull``/``StoreFailed``.

        Never blocks for the disk longer than a write into the page cache.
        """

    def fileno() -> int:
        """The file, for ``pread``; it stays open as long as the partial does."""

    def digest_of_prefix() -> Deferred[int]:
        """Go on hashing, in a thread, what is contiguous from the front; fires with how far."""

    def save() -> Deferred[None]:
        """Make what is there durable, so that a restart goes on from it."""

    def commit() -> Deferred[bool]:
        """With all pieces there: verify, and keep it as a blob if the digest is right (True).

        False: wrong, and all its bytes are thrown away. Durable when it fires.
        """

    def discard() -> None:
        """Throw all pieces away."""

    def close() -> None:
        """Done with it for now: pieces stay on the disk for another time."""


class IPartialStore(Interface):
    """Partial blobs by digest, kept over restarts."""

    def open(digest: Digest, size: int, validator: str | None) -> Deferred[IPartial]:
        """The partial of ``digest``, with what an earlier fetch left of it.

        Pieces of another ``size`` or ``validator`` are thrown away first. One opener at a time.
        """

    def gap(digest: Digest, start: int) -> Deferred[tuple[int, int] | None]:
        """The first bytes [start, end) that an earlier fetch has left out, from ``start`` on if

        there are any; None where nothing is left of one, or nothing missing. Nobody has it open.
        """


class IIndex(Interface):
    """What is known of what is kept. Every change is durable when its Deferred fires."""

    def tag(repository: Repository, tag: str) -> Deferred[tuple[TagEntry, ...]]:
        """The tag's entries, one a variant."""

    def put_tag(entry: TagEntry) -> Deferred[None]:
        """Keep or replace the entry of that repository, tag and variant."""

    def drop_tag(repository: Repository, tag: str) -> Deferred[None]:
        """Forget the tag's entries."""

    def link(repository: Repository, digest: Digest) -> Deferred[Link | None]:
        """The link, if that repository gave that digest."""

    def put_link(link: Link) -> Deferred[None]:
        """Keep a link."""

    def drop_link(repository: Repository, digest: Digest) -> Deferred[None]:
        """Forget a link."""

    def publicity(repository: Repository) -> Deferred[Publicity | None]:
        """What is known of a repository's being public."""

    def put_publicity(repository: Repository, publicity: Publicity) -> Deferred[None]:
        """Keep it."""

    def listing(repository: Repository, key: str) -> Deferred[Listing | None]:
        """A kept page."""

    def put_listing(listing: Listing) -> Deferred[None]:
        """Keep a page."""

    def blob(digest: Digest) -> Deferred[BlobRow | None]:
        """The row of a kept blob."""

    def put_blob(row: BlobRow) -> Deferred[None]:
        """The blob is in the store."""

    def drop_blob(digest: Digest) -> Deferred[None]:
        """The blob leaves the store: its row and all links and tags that point to it go."""

    def touch(digests: Iterable[Digest], now: float) -> Deferred[None]:
        """They were asked for."""

    def pin(repository: Repository, reference: str, is_pinned: bool) -> Deferred[None]:
        """Keep ``reference`` (a tag or digest; ``*`` all) of a repository, or no longer."""

    def pins() -> Deferred[tuple[tuple[Repository, str], ...]]:
        """All that is pinned."""

    def repositories() -> Deferred[tuple[Repository, ...]]:
        """All repositories of which something is kept."""

    def tags(repository: Repository) -> Deferred[tuple[TagEntry, ...]]:
        """All tag entries of a repository."""

    def links(repository: Repository) -> Deferred[tuple[Link, ...]]:
        """All links of a repository."""

    def linked_from(digest: Digest) -> Deferred[tuple[Repository, ...]]:
        """The repositories that have a link to a digest."""

    def least_recent(limit: int) -> Deferred[tuple[BlobRow, ...]]:
        """Kept blobs, those asked for longest ago first."""

    def total() -> Deferred[tuple[int, int]]:
        """How many blobs are kept, and their bytes in all."""
