"""``Range`` as a client may send it."""

from __future__ import annotations

from hubmirror.mirror.ranges import RangeNotSatisfiable, parse_range, range_hint
from tests.fuzz.target import Target


def run(data: bytes) -> None:
    """A span within the body, the whole, or the one error that there is."""
    value = data.decode("latin-1")
    start, length = range_hint(value)
    assert start >= 0
    assert length is None or length > 0
    for size in (0, 1, 1000, 2**40):
        try:
            span = parse_range(value, size)
        except RangeNotSatisfiable as error:
            assert error.headers == {"Content-Range": f"bytes */{size}"}  # noqa: PT017
            continue
        assert span is None or 0 <= span[0] < span[1] <= size


TARGET = Target(
    run,
    (b"bytes=0-99", b"bytes=-5", b"bytes=500-", b"bytes=0-1,5-9", b"BYTES=7-3"),
    (b"bytes=", b"-", b",", b"18446744073709551616", b"0", b"\xb2", b" "),
)
