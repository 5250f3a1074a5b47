"""Tests of the record beside a partial blob."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.cache.pieces import Pieces
from hubmirror.cache.record import PiecesRecord
from hubmirror.naming import Digest

DIGEST = Digest("sha512", "0f" * 64)
RECORD = PiecesRecord(DIGEST, 100, '"etag"', Pieces(100, [(0, 10), (20, 100)]))
FIELDS = {"digest": str(DIGEST), "size": 100, "validator": None, "pieces": "0-10"}


def sealed(value: Any) -> bytes:
    body = json.dumps(value).encode()
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body + b"\n"


@given(st.none() | st.text())
def test_bytes_and_back(validator: str | None) -> None:
    """Whatever a blob host calls its content."""
    record = PiecesRecord.parse(PiecesRecord(DIGEST, 100, validator, RECORD.pieces).to_bytes())
    assert record is not None
    assert (record.digest, record.size, record.validator) == (DIGEST, 100, validator)
    assert list(record.pieces) == [(0, 10), (20, 100)]


def test_any_changed_byte_is_noticed() -> None:
    """In either line."""
    data = RECORD.to_bytes()
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 0x20
        assert PiecesRecord.parse(bytes(changed)) is None


def test_any_cut_is_noticed() -> None:
    """A record that was torn is none."""
    data = RECORD.to_bytes()
    assert all(PiecesRecord.parse(data[:length]) is None for length in range(len(data)))
    assert PiecesRecord.parse(data + b"\n") is None


@pytest.mark.parametrize(
    "value",
    [
        {**FIELDS, "digest": "md5:1"},
        {**FIELDS, "digest": 1},
        {**FIELDS, "size": "100"},
        {**FIELDS, "size": True},
        {**FIELDS, "size": 5},
        {**FIELDS, "validator": 1},
        {**FIELDS, "pieces": [[0, 10]]},
        {**FIELDS, "pieces": "10-0"},
        {"digest": str(DIGEST)},
        [],
        None,
    ],
    ids=str,
)
def test_what_another_program_wrote_is_no_record(value: Any) -> None:
    """Though its checksum is right."""
    assert PiecesRecord.parse(sealed(FIELDS)) is not None
    assert PiecesRecord.parse(sealed(value)) is None


@given(st.binary(max_size=200))
def test_bytes_are_no_record(data: bytes) -> None:
    """Nor do they raise."""
    assert PiecesRecord.parse(data) is None
