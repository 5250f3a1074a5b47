"""Reports as lines for a person."""

from __future__ import annotations

import attrs
import pytest

from hubmirror.cache import reports
from hubmirror.cache.reports import KeptImage, Problem, Pulled, Rotten, ShownBlob, ShownImage
from hubmirror.cli.operating.lines import human_size, lines_of, table

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (5 << 20, "5.0 MiB"),
        (1 << 52, "4096.0 TiB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    """In the powers of 1024."""
    assert human_size(size) == text


def test_table() -> None:
    """A line an image, under a line of headings."""
    images = [
        KeptImage("docker.io/library/busybox", "1", DIGEST, "t", 2048, 0.0, True, True),
        KeptImage("docker.io/library/busybox", None, DIGEST, "t", 1, None, False, None),
    ]

    head, first, second = table([image.as_json() for image in images])

    assert head.split() == ["IMAGE", "DIGEST", "SIZE", "LAST", "USED", "ACCESS", "PINNED"]
    tagged = "docker.io/library/busybox:1"
    when = ["1970-01-01", "00:00Z"]
    assert first.split() == [tagged, "ab" * 6, "2.0", "KiB", *when, "public", "pinned"]
    assert second.split() == [
        *(f"docker.io/library/busybox@{DIGEST}", "ab" * 6, "1", "B", "never", "not", "asked")
    ]


def test_shown() -> None:
    """Platforms, and what of them is here."""
    manifest = reports.ShownManifest(
        DIGEST, "t", "linux/amd64", 1, True, (ShownBlob("sha256:layer", "t", 1 << 20, False),)
    )
    image = ShownImage("busybox:1", DIGEST, "t", 1024, None, False, False, (manifest,))

    lines = lines_of(image.as_json())

    assert f"  linux/amd64  {DIGEST}  here" in lines
    assert "    sha256:layer     1.0 MiB  not here" in lines
    assert "  access     private" in lines


@pytest.mark.parametrize(
    ("report", "line"),
    [
        (Problem("busybox", "no"), "busybox: no"),
        (Rotten(DIGEST, 1, ("a", "b")), f"rotten, dropped: {DIGEST} of a, b"),
        (Rotten(DIGEST, 1, ()), f"rotten, dropped: {DIGEST} of no repository"),
        (
            Pulled("a:1", DIGEST, ("linux/amd64",), 2, 3),
            f"pulled a:1, {DIGEST} (linux/amd64): 2 blobs, 3 B",
        ),
        (reports.Pinned("a", False), "a is pinned no longer"),
        (reports.Pruned(1024, 2048), "freed 1.0 KiB of images and 2.0 KiB of abandoned downloads"),
        (reports.Verified(3, 1024, 1), "verified 3 blobs, 1.0 KiB: 1 rotten"),
    ],
)
def test_one_line(report: reports.Report, line: str) -> None:
    """Most are told in one."""
    assert lines_of(report.as_json()) == [line]


def test_every_report_has_its_words() -> None:
    """None is silent but progress, and the images that make a table."""
    kinds = [getattr(reports, name) for name in reports.__all__]
    events = {kind.event for kind in kinds if attrs.has(kind) and hasattr(kind, "event")}
    samples = {
        "image": None,
        "progress": None,
    }

    for kind in kinds:
        if not hasattr(kind, "event") or kind.event in samples:
            continue
        values = {field.name: _some(str(field.type)) for field in attrs.fields(kind)}
        assert lines_of(kind(**values).as_json()), kind

    assert events > set(samples)


def _some(type_: str) -> object:
    """A value of a field's type."""
    if type_.startswith("tuple"):
        return ()
    return {"int": 1, "bool": True, "str": "x"}.get(type_)
