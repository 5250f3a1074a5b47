"""Inputs near to those that a target takes: its seeds, cut up, mixed, and spoilt."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.fuzz.target import Target

__all__ = ["inputs"]

#: What parsers stumble over, whatever they parse.
_ODD = [
    *(b"\0", b"\r", b"\n", b"\r\n", b"\x7f", b"\x80", b"\xff", b"\xc3\xa9", b"\xed\xa0\x80"),
    *(b'"', b"\\", b"\\ud800", b",", b";", b"=", b":", b"/", b"..", b"%2f", b"%00", b"*", b" "),
    *(b"-1", b"0", b"1e999", b"NaN", b"9" * 20, b"9" * 5000, b"null", b"[]", b"{}", b"true"),
    *(b"[" * 3000, b'{"a":' * 3000, b"x" * 9000, b" " * 9000, b"," * 9000),
]


def inputs(target: Target) -> st.SearchStrategy[bytes]:
    """The strategy: most inputs are a seed with a few changes, some are anything at all."""
    return st.binary(max_size=64) | _spoilt(target)


@st.composite
def _spoilt(draw: st.DrawFn, target: Target) -> bytes:
    data = draw(st.sampled_from(target.seeds))
    words = st.sampled_from([*target.words, *_ODD]) if target.words else st.sampled_from(_ODD)
    new = words | st.binary(max_size=4) | st.sampled_from(target.seeds)
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 8) | st.integers(0, len(data))))
        change = draw(st.integers(0, 3))
        if change == 0:
            data = data[:start] + data[end:]
        elif change == 1:
            data = data[:end] + data[start:]
        else:
            data = data[:start] + draw(new) + data[end if change == 2 else start :]
    return data
