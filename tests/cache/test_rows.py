"""Rows and their seals."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.cache.interfaces import BlobRow, Link, Listing
from hubmirror.cache.rows import BATCH, BLOBS, LINKS, LISTINGS, TABLES, Drop, dropped_blob, seal
from tests.cache.indexes import BUSYBOX, NOW, digest, one_of_each

values = st.one_of(
    st.none(), st.text(), st.binary(), st.integers(), st.floats(allow_nan=False), st.booleans()
)
rows = st.lists(values, max_size=4)


@pytest.mark.parametrize("put", one_of_each(), ids=lambda put: put.table)
def test_a_record_comes_back_from_its_row(put: Any) -> None:
    """Through a sealed row, into a change that is the same."""
    table = TABLES[put.table]
    stored = table.sealed(put.row, 7)
    assert len(stored) == len(table.columns)
    assert table.is_intact(stored)
    assert table.put(table.record(stored)) == put


@pytest.mark.parametrize("put", one_of_each(), ids=lambda put: put.table)
def test_each_value_is_sealed(put: Any) -> None:
    """A change of any one shows, the sequence's too, and so does another type."""
    table = TABLES[put.table]
    stored = table.sealed(put.row, 7)
    for place in range(len(stored)):
        for other in (None, "", b"", 8, 8.0, f"{stored[place]}"):
            changed = (*stored[:place], other, *stored[place + 1 :])
            same = type(other) is type(stored[place]) and other == stored[place]
            assert table.is_intact(changed) == same


def test_a_row_is_sealed_into_its_table() -> None:
    """What strays into another table of the same shape is damage."""
    assert seal("tags", ("a",), 1) != seal("links", ("a",), 1)


@given(rows, rows)
def test_seals_tell_values_apart(one: list[Any], other: list[Any]) -> None:
    """No two lists of values look the same: types and lengths are sealed, too."""

    def typed(row: list[Any]) -> list[Any]:
        # An integer and a truth are one to SQLite; 0.0 and -0.0 are two.
        return [("int", int(v)) if isinstance(v, int) else (type(v), repr(v)) for v in row]

    assert (seal("t", one, 0) == seal("t", other, 0)) == (typed(one) == typed(other))


def test_seals_are_the_same_for_ever() -> None:
    """A seal that another release computes otherwise would make every index damaged."""
    row = ("docker.io", "library/busybox", "é", None, b"\0\xff", 3, 1.5)
    assert seal("tags", row, 42).hex() == "0aff745a9eaada76"


def test_a_text_outside_unicode_is_refused() -> None:
    """Before it comes into a batch."""
    with pytest.raises(ValueError, match="surrogates"):
        LINKS.put(Link(BUSYBOX, digest("one"), "\udc80"))


def test_numbers_are_kept_in_the_columns_type() -> None:
    """SQLite would turn 5 into 5.0 behind the seal's back."""
    assert BLOBS.put(BlobRow(digest("one"), 3, 5)).row[-1].hex() == (5.0).hex()
    assert isinstance(LISTINGS.put(Listing(BUSYBOX, "", (), b"", int(NOW))).row[-1], float)


def test_a_batch_tells_what_it_dropped() -> None:
    """Through JSON and back."""
    drops = (*dropped_blob(str(digest("one"))), Drop("tags", {"tag": "é"}))
    assert {drop.table for drop in drops[:3]} == {"blobs", "links", "tags"}
    assert BATCH.record(BATCH.sealed(BATCH.put(drops).row, 1)) == drops
