"""Tests of the parsers of sizes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.config.model import Share
from hubmirror.config.sizes import share, size, size_or_share


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        (0, 0),
        (1024, 1024),
        ("1024", 1024),
        ("1k", 1000),
        ("64MiB", 64 * 2**20),
        ("50GiB", 50 * 2**30),
        ("50 GB", 50 * 10**9),
        ("1.5Ti", 3 * 2**39),
        ("10B", 10),
    ],
)
def test_sizes(raw: object, number: int) -> None:
    """A number is bytes; text may have a unit, of 1024 with an ``i``."""
    assert size(raw) == number


@pytest.mark.parametrize(
    "raw", [-1, 2**61, "2048PiB", "80%", "GiB", "", "1.5.5G", "5 bananas", True, None, 1.5, [1]]
)
def test_what_is_no_size(raw: object) -> None:
    """The negative, what no disk holds, other units and types are refused."""
    with pytest.raises(ValueError, match=r"not a size|out of range"):
        size(raw)


@pytest.mark.parametrize(("raw", "percent"), [("80%", 80), ("100 %", 100), ("0.5%", 0.5)])
def test_shares(raw: str, percent: float) -> None:
    """A share is in percent."""
    assert size_or_share(raw) == Share(percent)


@pytest.mark.parametrize("raw", ["0%", "101%", 0, "0", "-5%", "%"])
def test_what_is_no_share(raw: object) -> None:
    """More than everything there is not; nothing at all is another setting's."""
    with pytest.raises(ValueError, match=r"not a size|out of range"):
        size_or_share(raw)


@pytest.mark.parametrize(("raw", "percent"), [("0%", 0), (" 20 % ", 20), ("100%", 100)])
def test_a_share_alone(raw: str, percent: float) -> None:
    """It may be nothing."""
    assert share(raw) == Share(percent)


@pytest.mark.parametrize("raw", ["101%", "20", 20, "-5%", None, "٢%", ["20%"]])
def test_what_is_no_share_alone(raw: object) -> None:
    """The percent sign is no matter of taste: 20 might be meant as 20 requests."""
    with pytest.raises(ValueError, match=r"not a share|out of range"):
        share(raw)


@given(
    st.sampled_from([size, size_or_share, share]),
    st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.lists(st.text())),
)
def test_a_parser_fails_in_words_on_one_line(
    parse: Callable[[object], object], raw: object
) -> None:
    """Whatever comes, a parser returns or raises ``ValueError`` with a printable reason."""
    assert failure_of(parse, raw).isprintable()


def failure_of(parse: Callable[[object], object], raw: object) -> str:
    """The reason why ``raw`` is refused, "" where it is not."""
    try:
        parse(raw)
    except ValueError as error:
        return str(error)
    return ""
