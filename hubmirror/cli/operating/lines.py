"""Reports as lines for a person."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Final

__all__ = ["human_size", "lines_of", "table"]

_Report = Mapping[str, Any]
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")


def lines_of(report: _Report) -> list[str]:
    """What to print of a report; nothing of kept images, which make a table, and of progress."""
    write = _WRITERS.get(report["event"])
    return [] if write is None else list(write(report))


def table(images: Sequence[_Report]) -> list[str]:
    """The kept images, one a line."""
    rows = [("IMAGE", "DIGEST", "SIZE", "LAST USED", "ACCESS", "PINNED")]
    rows += [
        (
            _name(image),
            image["digest"].partition(":")[2][:12],
            human_size(image["size"]),
            _time(image["accessed"]),
            _access(image["is_public"]),
            "pinned" if image["is_pinned"] else "",
        )
        for image in images
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def human_size(size: float) -> str:
    """``4.2 MiB``."""
    for unit in _UNITS[:-1]:
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} {_UNITS[-1]}"


def _name(image: _Report) -> str:
    if image["tag"] is None:
        return f"{image['repository']}@{image['digest']}"
    return f"{image['repository']}:{image['tag']}"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "never"
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%d %H:%M}Z"


def _access(is_public: bool | None) -> str:
    return "not asked" if is_public is None else ("public" if is_public else "private")


def _here(is_here: bool) -> str:
    return "here" if is_here else "not here"


def _shown(report: _Report) -> Iterator[str]:
    yield report["image"]
    yield f"  digest     {report['digest']}"
    yield f"  type       {report['media_type']}"
    yield f"  kept       {human_size(report['kept'])}"
    yield f"  last used  {_time(report['accessed'])}"
    yield f"  access     {_access(report['is_public'])}"
    yield f"  pinned     {'yes' if report['is_pinned'] else 'no'}"
    for manifest in report["manifests"]:
        platform = manifest["platform"] or "manifest"
        yield f"  {platform}  {manifest['digest']}  {_here(manifest['is_here'])}"
        for blob in manifest["blobs"]:
            size = human_size(blob["size"])
            yield f"    {blob['digest']}  {size:>10}  {_here(blob['is_here'])}"


def _problem(report: _Report) -> Iterator[str]:
    yield f"{report['subject']}: {report['message']}"


def _rotten(report: _Report) -> Iterator[str]:
    of = ", ".join(report["repositories"]) or "no repository"
    yield f"rotten, dropped: {report['digest']} of {of}"


def _verified(report: _Report) -> Iterator[str]:
    size = human_size(report["size"])
    yield f"verified {report['blobs']} blobs, {size}: {report['rotten']} rotten"


def _removed(report: _Report) -> Iterator[str]:
    size = human_size(report["size"])
    yield f"removed {report['image']}: {report['blobs']} blobs, {size}"


def _pinned(report: _Report) -> Iterator[str]:
    yield f"{report['image']} is {'pinned' if report['is_pinned'] else 'pinned no longer'}"


def _pruned(report: _Report) -> Iterator[str]:
    evicted, partials = human_size(report["evicted"]), human_size(report["partials"])
    yield f"freed {evicted} of images and {partials} of abandoned downloads"


def _exported(report: _Report) -> Iterator[str]:
    of = f" ({', '.join(report['platforms'])})" if report["platforms"] else ""
    size = human_size(report["size"])
    yield f"exported {', '.join(report['images'])}{of}: {report['blobs']} blobs, {size}"


def _imported(report: _Report) -> Iterator[str]:
    yield f"imported {report['image']}, {report['digest']}: {human_size(report['size'])} new"


def _imported_all(report: _Report) -> Iterator[str]:
    yield f"imported {report['images']} images, {report['problems']} problems"


def _pulled(report: _Report) -> Iterator[str]:
    of = f" ({', '.join(report['platforms'])})" if report["platforms"] else ""
    size = human_size(report["size"])
    yield f"pulled {report['image']}, {report['digest']}{of}: {report['blobs']} blobs, {size}"


_WRITERS: Final[Mapping[str, Callable[[_Report], Iterator[str]]]] = {
    "shown": _shown,
    "problem": _problem,
    "rotten": _rotten,
    "verified": _verified,
    "removed": _removed,
    "pinned": _pinned,
    "pruned": _pruned,
    "exported": _exported,
    "imported": _imported,
    "imported all": _imported_all,
    "pulled": _pulled,
}
