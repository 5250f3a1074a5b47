"""What the operations on a cache tell while they go on, and at their end.

Each is a frozen value of plain fields; ``as_json`` is the object by which programs know it.
Sizes are bytes, times seconds since the epoch.
"""

from __future__ import annotations

from typing import ClassVar

from attrs import asdict, frozen

__all__ = [
    "Exported",
    "Imported",
    "ImportedAll",
    "KeptImage",
    "Pinned",
    "Problem",
    "Progress",
    "Pruned",
    "Pulled",
    "Removed",
    "Report",
    "Rotten",
    "ShownBlob",
    "ShownImage",
    "ShownManifest",
    "Verified",
]


@frozen
class Report:
    """One of the values below."""

    event: ClassVar[str]

    def as_json(self) -> dict[str, object]:
        """Its fields, and ``event``, which tells its kind."""
        return {"event": self.event, **asdict(self)}


@frozen
class Progress(Report):
    """``done`` of ``total`` bytes of ``subject`` are dealt with."""

    event = "progress"
    subject: str
    done: int
    total: int


@frozen
class Problem(Report):
    """``subject`` could not be dealt with; the others go on."""

    event = "problem"
    subject: str
    message: str


@frozen
class KeptImage(Report):
    """A tag, or a manifest that no tag leads to (``tag`` is None).

    ``size`` counts what of it is here; ``is_public`` is None where nobody has asked yet.
    """

    event = "image"
    repository: str
    tag: str | None
    digest: str
    media_type: str
    size: int
    accessed: float | None
    is_pinned: bool
    is_public: bool | None


@frozen
class ShownBlob:
    """A config or layer that a manifest names."""

    digest: str
    media_type: str
    size: int
    is_here: bool


@frozen
class ShownManifest:
    """One platform's manifest; of one that is not here ``blobs`` are not known."""

    digest: str
    media_type: str
    platform: str | None
    size: int
    is_here: bool
    blobs: tuple[ShownBlob, ...]


@frozen
class ShownImage(Report):
    """An image with all that it is made of; ``kept`` of its bytes are here."""

    event = "shown"
    image: str
    digest: str
    media_type: str
    kept: int
    accessed: float | None
    is_pinned: bool
    is_public: bool | None
    manifests: tuple[ShownManifest, ...]


@frozen
class Rotten(Report):
    """A blob that had not its digest any more and was dropped."""

    event = "rotten"
    digest: str
    size: int
    repositories: tuple[str, ...]


@frozen
class Verified(Report):
    """All was verified; ``rotten`` of the blobs are gone."""

    event = "verified"
    blobs: int
    size: int
    rotten: int


@frozen
class Removed(Report):
    """An image or repository is gone, and so many blobs with it."""

    event = "removed"
    image: str
    tags: tuple[str, ...]
    blobs: int
    size: int


@frozen
class Pinned(Report):
    """An image is pinned now, or no longer."""

    event = "pinned"
    image: str
    is_pinned: bool


@frozen
class Pruned(Report):
    """What was freed: evicted blobs, and downloads that nobody went on with."""

    event = "pruned"
    evicted: int
    partials: int


@frozen
class Exported(Report):
    """Images are in the archive, in so many blobs; ``platforms`` of each that are."""

    event = "exported"
    images: tuple[str, ...]
    platforms: tuple[str, ...]
    blobs: int
    size: int


@frozen
class Imported(Report):
    """An image is kept now; ``size`` of its bytes were not kept before."""

    event = "imported"
    image: str
    digest: str
    size: int


@frozen
class ImportedAll(Report):
    """The end of an import."""

    event = "imported all"
    images: int
    problems: int


@frozen
class Pulled(Report):
    """An image is kept, as the upstream has it now. ``size`` counts what was pulled."""

    event = "pulled"
    image: str
    digest: str
    platforms: tuple[str, ...]
    blobs: int
    size: int
