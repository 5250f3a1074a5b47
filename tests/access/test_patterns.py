"""Tests of the patterns of rules."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.access.patterns import MAX_PATTERN, Patterns, check_pattern

TEXTS = st.text("ab/.*", max_size=12)


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("docker.io/library/*", ["docker.io/library/busybox"], ["docker.io/library/a/b", "x"]),
        ("*/evil/*", ["docker.io/evil/x", "ghcr.io/evil/y"], ["docker.io/a/evil/x"]),
        ("**/evil/**", ["docker.io/evil/x", "ghcr.io/a/evil/b/c"], ["ghcr.io/evils/x"]),
        ("1.?", ["1.2"], ["1.", "1.23", "1./"]),
        ("a.b", ["a.b"], ["axb", "A.b"]),
        ("**", ["", "a/b"], []),
        ("*", ["", "ab"], ["a/b"]),
        ("linux/arm/**", ["linux/arm/v7"], ["linux/arm64"]),
    ],
)
def test_what_a_pattern_matches(pattern: str, matching: list[str], others: list[str]) -> None:
    """The whole text, and characters that are special elsewhere are themselves."""
    patterns = Patterns([pattern])
    assert all(map(patterns.match, matching))
    assert not any(map(patterns.match, others))


@given(st.lists(TEXTS, max_size=3), TEXTS)
def test_a_match_is_that_of_the_regular_expression(written: list[str], text: str) -> None:
    """The same as the expression that each pattern stands for."""
    pieces = {"**": ".*", "*": "[^/]*"}
    expressions = [
        "".join(pieces.get(one) or re.escape(one) for one in re.findall(r"\*\*|.", pattern))
        for pattern in written
    ]
    expected = any(re.fullmatch(expression, text) for expression in expressions)
    assert Patterns(written).match(text) == expected


def test_no_pattern_takes_long() -> None:
    """A backtracking matcher would not come to an end."""
    began = time.process_time()
    assert not Patterns(["*a" * 100 + "b"]).match("a" * 255)
    assert time.process_time() - began < 2


@pytest.mark.parametrize("written", ["", "a b", "a\n", "a***", "a" * (MAX_PATTERN + 1)])
def test_what_is_no_pattern(written: str) -> None:
    with pytest.raises(ValueError, match="a pattern has"):
        check_pattern(written)


def test_what_is_one() -> None:
    assert check_pattern("docker.io/**") == "docker.io/**"
