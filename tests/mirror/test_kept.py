"""The headers of answers from what is kept."""

from __future__ import annotations

import pytest

from hubmirror.mirror.kept import Freshness, content_headers, is_not_modified
from hubmirror.naming import Digest

DIGEST = Digest("sha256", "0" * 64)


def test_fresh() -> None:
    """RFC 9111 and 9211: how old, how long yet."""
    assert Freshness(12.7, 300).headers() == (
        ("Age", "12"),
        ("Cache-Control", "private, max-age=300"),
        ("Cache-Status", "hubmirror; hit; ttl=287"),
    )


def test_stale_has_a_warning() -> None:
    """As the distribution-spec has it; a quote in it breaks nothing."""
    headers = dict(Freshness(400, 300, 'not "now"').headers())
    assert headers["Warning"] == "299 - \"not 'now'\""
    assert headers["Cache-Status"] == "hubmirror; hit; ttl=-100"


def test_a_clock_that_was_set_back() -> None:
    """No age is below zero."""
    assert dict(Freshness(-5, 300).headers())["Age"] == "0"


def test_content_is_told_by_its_digest() -> None:
    """The entity tag is the Hub's own."""
    assert dict(content_headers(DIGEST, "a/b"))["ETag"] == f'"{DIGEST}"'


@pytest.mark.parametrize(
    ("value", "is_there"),
    [
        (None, False),
        (f'"{DIGEST}"', True),
        (f'W/"{DIGEST}"', True),
        (f'"other", "{DIGEST}"', True),
        ("*", True),
        (str(DIGEST), True),
        ('"other"', False),
    ],
)
def test_what_a_client_has_already(value: str | None, is_there: bool) -> None:
    """``If-None-Match`` compares weakly (RFC 9110, section 13.1.2)."""
    assert is_not_modified(value, DIGEST) is is_there
