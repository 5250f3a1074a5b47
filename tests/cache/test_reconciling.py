"""The index in line with the blobs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hubmirror.cache.interfaces import BlobRow, Link
from hubmirror.cache.reconciling import Reconciliation
from hubmirror.cache.rows import BLOBS, LINKS, PINS, TAGS
from hubmirror.cache.twin_files import TwinFiles
from tests.cache.indexes import BUSYBOX, NOW, digest, one_of_each, opened_files, tag_entry, write


@pytest.fixture
def files(tmp_path: Path) -> Iterator[TwinFiles]:
    """Files with a row of each kind, all about the blob ``one``."""
    with opened_files(tmp_path) as files:
        write(files, *one_of_each())
        yield files


def test_nothing_to_do_writes_nothing(files: TwinFiles) -> None:
    """A start costs no fsync if nothing has changed."""
    number = files.number
    work = Reconciliation(files, NOW + 9)
    work.add([(digest("one"), 3)])
    work.finish()
    assert files.number == number
    assert files.select(BLOBS) == [BlobRow(digest("one"), 3, NOW)]


def test_a_blob_without_a_row_gets_one(files: TwinFiles) -> None:
    """As if asked for now, so that it is not the first to be evicted."""
    work = Reconciliation(files, NOW + 9)
    work.add([(digest("one"), 3), (digest("two"), 5)])
    work.finish()
    assert set(files.select(BLOBS)) == {
        BlobRow(digest("one"), 3, NOW),
        BlobRow(digest("two"), 5, NOW + 9),
    }


def test_a_row_without_a_blob_goes(files: TwinFiles) -> None:
    """With its links and tags; a pin is an operator's word, and stays."""
    Reconciliation(files, NOW).finish()
    assert files.select(BLOBS) == []
    assert files.select(LINKS) == []
    assert files.select(TAGS) == []
    assert files.select(PINS) == [(BUSYBOX, "latest")]


def test_links_and_tags_to_nothing_go(files: TwinFiles) -> None:
    """Also where there never was a row."""
    write(files, LINKS.put(Link(BUSYBOX, digest("no"), None)), TAGS.put(tag_entry("no", "no")))
    work = Reconciliation(files, NOW)
    work.add([(digest("one"), 3)])
    work.finish()
    assert [link.digest for link in files.select(LINKS)] == [digest("one")]
    assert [entry.tag for entry in files.select(TAGS)] == ["latest"]
