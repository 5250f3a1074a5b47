"""Rows of numbers, and what they say."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.question import Outcome
from hubmirror.quota.counters import (
    ADMITTED,
    BYTES_IN,
    BYTES_OUT,
    PULLS,
    UPSTREAM_BYTES,
    UPSTREAM_REQUESTS,
    WIDTH,
    Counters,
    column_of,
)
from hubmirror.quota.kinds import Kind

OTHER_COLUMNS = (ADMITTED, BYTES_IN, BYTES_OUT, UPSTREAM_REQUESTS, UPSTREAM_BYTES, PULLS)


def counters(columns: dict[int, int] | None = None) -> Counters:
    """A row with these numbers, and zeros."""
    return Counters([(columns or {}).get(column, 0) for column in range(WIDTH)])


def answered(**outcomes_of_kinds: dict[str, int]) -> Counters:
    """A row by the names of kinds and outcomes."""
    return counters(
        {
            column_of(Kind[kind.upper()], Outcome[outcome.upper()]): number
            for kind, outcomes in outcomes_of_kinds.items()
            for outcome, number in outcomes.items()
        }
    )


def test_each_number_has_a_column_of_its_own() -> None:
    """All within a row."""
    columns = [*OTHER_COLUMNS, *(column_of(*pair) for pair in product(Kind, Outcome))]
    assert len(set(columns)) == len(columns)
    assert all(0 <= column < WIDTH for column in columns)


def test_columns_keep_their_numbers() -> None:
    """They are on the disk: a new kind or outcome moves none of them."""
    assert OTHER_COLUMNS == (0, 1, 2, 3, 4, 5)
    assert [column_of(kind, Outcome.HIT) for kind in Kind][:7] == [8, 14, 20, 26, 32, 38, 44]
    assert [column_of(Kind.TOKEN, outcome) for outcome in Outcome][:5] == [8, 9, 10, 11, 12]


def test_requests_are_those_that_were_answered() -> None:
    """Bytes, pulls and what was let through are no requests."""
    row = answered(ping={"hit": 1}, blob={"hit": 2, "miss": 4, "error": 8}, other={"refused": 16})
    assert row.requests == 31
    assert counters(dict.fromkeys(OTHER_COLUMNS, 1)).requests == 0
    assert counters({ADMITTED: 3}).admitted == 3


def test_by_kind_and_outcome() -> None:
    """Each by itself, and summed up one way or the other."""
    row = answered(blob={"hit": 1, "miss": 2}, tags={"hit": 4})
    assert row.count(Kind.BLOB, Outcome.MISS) == 2
    assert (row.of_kind(Kind.BLOB), row.of_kind(Kind.TAGS), row.of_kind(Kind.PING)) == (3, 4, 0)
    assert (row.of_outcome(Outcome.HIT), row.of_outcome(Outcome.MISS)) == (5, 2)


@pytest.mark.parametrize(
    ("row", "ratio"),
    [
        (answered(), None),
        (answered(ping={"hit": 9}, token={"miss": 9}, blob={"refused": 9, "error": 9}), None),
        (answered(blob={"hit": 3, "miss": 1}), 0.75),
        (answered(manifest_get={"stale": 1}, manifest_head={"miss": 1}), 0.5),
        (answered(blob={"miss": 1}), 0.0),
        (answered(blob={"hit": 1, "error": 5}, tags={"miss": 5}), 1.0),
    ],
)
def test_hit_ratio(row: Counters, ratio: float | None) -> None:
    """Of manifests and blobs that were given at all."""
    assert row.hit_ratio == ratio


def test_pulls_saved() -> None:
    """Manifests that were fetched with GET and came from what is kept."""
    row = answered(
        manifest_get={"hit": 1, "stale": 2, "miss": 4, "refused": 8, "error": 16},
        manifest_head={"hit": 32},
        blob={"hit": 64},
    )
    assert row.pulls_saved == 3


def test_json() -> None:
    """The names of kinds and outcomes are those of the monitoring answers."""
    row = Counters.sum(
        [
            answered(manifest_get={"hit": 2}, blob={"miss": 1}),
            counters({column: 10 + column for column in OTHER_COLUMNS}),
        ]
    )
    assert row.as_json() == {
        "requests": 3,
        "admitted": 10,
        "by_kind": {
            "token": 0,
            "ping": 0,
            "manifest_get": 2,
            "manifest_head": 0,
            "blob": 1,
            "tags": 0,
            "other": 0,
        },
        "by_outcome": {"hit": 2, "miss": 1, "stale": 0, "refused": 0, "error": 0},
        "bytes_in": 11,
        "bytes_out": 12,
        "upstream_requests": 13,
        "upstream_bytes": 14,
        "pulls": 15,
        "pulls_saved": 2,
    }


def test_the_sum_of_no_rows_is_zeros() -> None:
    """A whole row: it can be read as any other."""
    assert Counters.sum([]).as_json() == counters().as_json()


ROWS = st.lists(st.integers(0, 2**60), min_size=WIDTH, max_size=WIDTH).map(Counters)


@given(st.lists(ROWS, max_size=5))
def test_a_sum_has_the_sum_of_each_number(rows: list[Counters]) -> None:
    """Of columns, and so of all that is made of them by adding."""
    total = Counters.sum(rows)
    assert list(total.row) == [sum(row.row[column] for row in rows) for column in range(WIDTH)]
    assert total.requests == sum(row.requests for row in rows)
    assert total.pulls_saved == sum(row.pulls_saved for row in rows)
