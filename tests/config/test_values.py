"""Tests of the parsers of plain values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.config.values import (
    choice,
    duration,
    lifetime,
    on_or_off,
    optional_lifetime,
    optional_path,
    path,
    switch,
    texts,
    whole_number,
)

Parser = Callable[[object], object]

#: What TOML can hold, and a little more.
ANYTHING = st.one_of(
    st.text(),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.lists(st.text(), max_size=3),
    st.dictionaries(st.text(), st.integers(), max_size=2),
)


@pytest.mark.parametrize(
    ("raw", "seconds"),
    [
        (30, 30.0),
        (0.5, 0.5),
        ("30", 30.0),
        ("30s", 30.0),
        ("1.5 m", 90.0),
        ("500ms", 0.5),
        ("2h", 7200.0),
        ("1d", 86400.0),
    ],
)
def test_durations(raw: object, seconds: float) -> None:
    """A number is seconds; text may have a unit."""
    assert duration(raw) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "raw",
    [
        *(0, -1, "0s", "-1s", "25h", float("nan"), float("inf"), 10**400),
        *("", "s", "1w", "1h30m", "\u0661s", "1" * 400, True, None, [1]),
    ],
)
def test_what_is_no_duration(raw: object) -> None:
    """Nothing, the negative, the endless, the odd and what is longer than a day are refused."""
    with pytest.raises(ValueError, match=r"duration|out of range"):
        duration(raw)


@pytest.mark.parametrize(
    ("raw", "seconds"), [(0, 0.0), ("0s", 0.0), ("30d", 2592000.0), ("365d", 31536000.0)]
)
def test_lifetimes(raw: object, seconds: float) -> None:
    """Not at all, or up to a year."""
    assert lifetime(raw) == optional_lifetime(raw) == seconds


@pytest.mark.parametrize("raw", [-1, "366d", float("nan"), 10**400, "", "off", True, None])
def test_what_is_no_lifetime(raw: object) -> None:
    """The negative, the endless and what is longer than a year are refused."""
    with pytest.raises(ValueError, match=r"duration|out of range"):
        lifetime(raw)


@pytest.mark.parametrize("raw", ["", "off"])
def test_no_lifetime(raw: str) -> None:
    """Where none need be, there is a word for it, and it is not 0."""
    assert optional_lifetime(raw) is None


@pytest.mark.parametrize(("raw", "number"), [(0, 0), (10, 10), ("7", 7), (" 7 ", 7)])
def test_whole_numbers(raw: object, number: int) -> None:
    """A number may be text, as it is in a variable."""
    assert whole_number(0, 10)(raw) == number


@pytest.mark.parametrize("raw", [-1, 11, "11", "x", "", "1.0", 1.0, True, None, "9" * 5000, "1_0"])
def test_what_is_no_whole_number(raw: object) -> None:
    """Other types, other text and what is out of range are refused."""
    with pytest.raises(ValueError, match=r"whole number|out of range"):
        whole_number(0, 10)(raw)


def test_texts() -> None:
    """A list, or one text with commas, without the white space and the empty items."""
    assert texts("a, b,,c ") == texts(["a", "b", "c"]) == texts(["a,b", " c"]) == ("a", "b", "c")
    assert texts([]) == texts("") == ()


@pytest.mark.parametrize("raw", [1, None, ["a", 1], "a\nb", ["\x00"]])
def test_what_are_no_texts(raw: object) -> None:
    """Items are text without control characters."""
    with pytest.raises(ValueError, match=r"not text|control"):
        texts(raw)


@pytest.mark.parametrize(
    ("raw", "value"),
    [(True, True), (False, False), ("yes", True), ("OFF", False), ("auto", None)],
)
def test_switch(raw: object, value: bool | None) -> None:
    """TOML's own values and the usual words."""
    assert switch(raw) is value


def test_what_is_no_switch() -> None:
    """A word that says neither is refused."""
    with pytest.raises(ValueError, match="'maybe' is neither"):
        switch("maybe")


@pytest.mark.parametrize(("raw", "value"), [("on", True), ("off", False), (False, False)])
def test_on_or_off(raw: object, value: bool) -> None:
    """A switch of two positions."""
    assert on_or_off(raw) is value


def test_what_is_neither_on_nor_off() -> None:
    """It has no third one."""
    with pytest.raises(ValueError, match="neither on nor off"):
        on_or_off("auto")


def test_choice() -> None:
    """One of the words, nothing else."""
    assert choice("a", "b")("b") == "b"
    with pytest.raises(ValueError, match="'c' is not one"):
        choice("a", "b")("c")


def test_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths stay as they are written, but for the home folder; none is none."""
    monkeypatch.setenv("HOME", "/home/someone")
    assert path("some/where") == Path("some/where")
    assert path("~/kept") == Path("/home/someone/kept")
    assert optional_path("") is None
    with pytest.raises(ValueError, match="empty"):
        path(" ")


@given(
    st.sampled_from(
        [
            *(duration, lifetime, optional_lifetime, whole_number(0, 5), texts),
            *(switch, on_or_off, choice("a"), path, optional_path),
        ]
    ),
    ANYTHING,
)
def test_a_parser_fails_in_words_on_one_line(parse: Parser, raw: object) -> None:
    """Whatever comes, a parser returns or raises ``ValueError`` with a printable reason."""
    assert failure_of(parse, raw).isprintable()


def failure_of(parse: Parser, raw: object) -> str:
    """Why ``raw`` is refused, or nothing."""
    try:
        parse(raw)
    except ValueError as error:
        return str(error)
    return ""
