"""URLs that an upstream gives: what is gone to, and what not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.upstream.url import Origin, checked_url, origin_of, resolved_url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://a.example", "https://a.example/"),
        ("HTTPS://a.example/x?y=%2f#part", "https://a.example/x?y=%2f"),
        ("http://[::1]:5000/v2/", "http://[::1]:5000/v2/"),
        ("http://blob_store:80/a?sig=a+b/c%3D", "http://blob_store:80/a?sig=a+b/c%3D"),
    ],
)
def test_good_urls(text: str, url: str) -> None:
    """A good URL keeps its path and query byte for byte, and loses its fragment."""
    assert checked_url(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/v2/",
        "//a.example/",
        "ftp://a.example/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https:///v2/",
        "https://user@a.example/",
        "https://user:word@a.example/",
        "https://a.example\\@b.example/",
        "https://a.example:0/",
        "https://a.example:65536/",
        "https://a.example:x/",
        "https://a%2eexample/",
        "https://[::1/",
        "https://[::1]x/",
        "https://a.example/a b",
        "https://a.example/\r\nX: y",
        "ht\ttps://a.example/",
        "https://\u0430.example/",
    ],
)
def test_odd_urls(text: str) -> None:
    """Another scheme, a user name, or an odd character, host or port is refused."""
    with pytest.raises(ValueError, match=r"^its? "):
        checked_url(text)


@given(st.text())
def test_any_text(text: str) -> None:
    """Any text is either refused or a URL that stays itself when checked again."""
    try:
        url = checked_url("http://a/" + text)
    except ValueError:
        return
    assert checked_url(url) == url
    assert origin_of(url) == Origin("http", "a", 80)


@pytest.mark.parametrize(
    ("reference", "url"),
    [
        ("/blob", "https://a.example/blob"),
        ("../blob?x=1", "https://a.example/v2/blob?x=1"),
        ("//b.example/blob", "https://b.example/blob"),
        ("http://b.example:8080", "http://b.example:8080/"),
        ("?x=2#y", "https://a.example/v2/name/tags?x=2"),
    ],
)
def test_references(reference: str, url: str) -> None:
    """A relative reference is resolved against its base."""
    assert resolved_url("https://a.example/v2/name/tags", reference) == url


def test_references_are_not_mended() -> None:
    """A tab that ``urljoin`` would drop in silence is refused."""
    with pytest.raises(ValueError, match="characters"):
        resolved_url("https://a.example/", "ht\ttps://b.example/")


def test_origins() -> None:
    """An origin has its port always, and a host's name is the same in any case."""
    assert origin_of("https://A.example/x") == origin_of("https://a.example:443/y")
    assert origin_of("http://a.example/") == Origin("http", "a.example", 80)
    assert origin_of("http://[::1]:5000/") == Origin("http", "::1", 5000)
