"""The syntax that field values share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.fields import FieldReader, is_quotable, is_token, quoted

QUOTABLE = st.text(st.characters(max_codepoint=0xFF)).filter(is_quotable)


@given(QUOTABLE)
def test_quoted_is_read_back(text: str) -> None:
    """What ``quoted`` writes is what ``parameter`` reads."""
    reader = FieldReader(f"name={quoted(text)}")
    assert reader.parameter() == ("name", text)
    assert reader.is_done


@pytest.mark.parametrize("text", ["", "a b", "a=b", '"a"', "a,b", "ä", "a\n", "a\x00"])
def test_no_token(text: str) -> None:
    """Delimiters, spaces, controls and non-ASCII are in no token."""
    assert not is_token(text)


@pytest.mark.parametrize("text", ["a\r\nb", "\x00", "\x7f", "€"])
def test_not_quotable(text: str) -> None:
    """What could end a header line, or is no Latin-1, can't be quoted."""
    assert not is_quotable(text)


@pytest.mark.parametrize(
    "value", ["name", "name=", "=x", 'name="open', 'name="\\"', 'n="a\nb"', ""]
)
def test_no_parameter_takes_nothing(value: str) -> None:
    """Where no parameter comes, the reader stays where it was."""
    reader = FieldReader(value)
    assert reader.parameter() is None
    assert reader.is_done == (not value)
    assert (reader.token() or "") in ("", "name", "n")


def test_parameter_allows_space_around_the_equals_sign() -> None:
    """RFC 9110 has "bad white space" there, which a recipient must take."""
    assert FieldReader('a \t= "b"').parameter() == ("a", "b")
    assert FieldReader("a = b").parameter() == ("a", "b")


def test_delimiters_enclose_empty_elements() -> None:
    """A recipient of a list ignores empty elements."""
    reader = FieldReader("a , ,\t,b ;; c")
    assert (reader.token(), reader.commas(), reader.token()) == ("a", True, "b")
    assert (reader.commas(), reader.semicolons(), reader.token()) == (False, True, "c")
    assert reader.is_done
