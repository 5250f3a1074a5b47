"""Reading in TLS, of which only the head is deciphered."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.reading import timed_get, timed_gets
from bench.secure import ciphered
from tests.bench.secure_server import answering_securely

BODY = b"x" * 3_000_000
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n"


def test_whole_bodies_are_timed(tmp_path: Path) -> None:
    """Of several at once, too; a part of the body comes in the head's record."""
    with answering_securely(tmp_path, WHOLE + BODY) as url:
        assert timed_get(url, len(BODY)) > 0
        assert all(seconds > 0 for seconds in timed_gets([url, url], len(BODY)))


@pytest.mark.parametrize(
    ("response", "complaint"),
    [
        (WHOLE + BODY[:-100], "bytes are missing"),
        (WHOLE.replace(b"200 OK", b"502 No"), "not a 200"),
        (b"HTTP/1.1 200 OK\r\n", "no answer"),
        (WHOLE.replace(b"30", b"40") + BODY, "not a 200 of 3000000 bytes"),
    ],
)
def test_a_wrong_answer_is_never_timed(tmp_path: Path, response: bytes, complaint: str) -> None:
    """A peer that fails fast must not look fast."""
    with (
        answering_securely(tmp_path, response) as url,
        pytest.raises(RuntimeError, match=complaint),
    ):
        timed_get(url, len(BODY))


@pytest.mark.parametrize(
    ("length", "records"), [(0, 0), (1, 1), (16384, 1), (16385, 2), (163840, 10)]
)
def test_each_record_adds_its_own(length: int, records: int) -> None:
    """A header of five bytes, one for the type, and a tag of sixteen."""
    assert ciphered(length) == length + 22 * records
