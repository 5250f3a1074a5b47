"""Tests of a partial blob's files. How they outlive crashes is in ``test_commit_path``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hubmirror.cache.files import Files
from hubmirror.cache.layout import Layout
from hubmirror.cache.partial_file import PartialFile, drop, recorded
from hubmirror.cache.pieces import Pieces
from hubmirror.cache.record import PiecesRecord
from tests.cache.contract_blobs import digest_of

DIGEST = digest_of(b"0123456789")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """An empty cache."""
    layout = Layout(tmp_path)
    layout.prepare(Files())
    return layout


def open_file(layout: Layout, size: int = 10) -> tuple[PartialFile, Pieces]:
    """The file, and what is there."""
    return PartialFile.open(layout, Files(), DIGEST, size, None)


def save(file: PartialFile) -> None:
    """Write the first half, and its record."""
    file.write(memoryview(b"01234"), 0)
    file.save(PiecesRecord(DIGEST, 10, None, Pieces(10, [(0, 5)])))


def test_there_is_no_record_before_a_save(layout: Layout) -> None:
    """And so nothing that a later opening would trust."""
    file, pieces = open_file(layout)
    assert list(pieces) == []
    assert recorded(layout, DIGEST) is None
    file.close()
    assert recorded(layout, DIGEST) is None


def test_a_saved_file_is_opened_again(layout: Layout) -> None:
    """With its bytes and pieces."""
    file, _ = open_file(layout)
    save(file)
    file.close()
    file, pieces = open_file(layout)
    assert list(pieces) == [(0, 5)]
    assert os.pread(file.fd, 10, 0) == b"01234" + bytes(5)
    file.close()


def test_another_size_begins_anew(layout: Layout) -> None:
    """In a new file of that size: who has the old one open is left alone."""
    file, _ = open_file(layout)
    save(file)
    other, pieces = open_file(layout, 20)
    assert list(pieces) == []
    assert os.fstat(other.fd).st_size == 20
    assert os.pread(file.fd, 10, 0) == b"01234" + bytes(5)
    file.close()
    other.close()


def test_a_kept_one_is_a_blob_and_nothing_else(layout: Layout) -> None:
    """The data has its blob's name; the record is gone."""
    file, _ = open_file(layout)
    save(file)
    file.write(memoryview(b"56789"), 5)
    file.keep()
    file.close()
    assert layout.blob(DIGEST).read_bytes() == b"0123456789"
    assert list(layout.partial.iterdir()) == []


def test_dropping_what_is_not_there(layout: Layout) -> None:
    """Nothing happens."""
    drop(layout, Files(), DIGEST)
    assert list(layout.partial.iterdir()) == []
