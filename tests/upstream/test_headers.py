"""Header fields: what passes from an upstream to a client, and how bytes become text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.web.http_headers import Headers as WireHeaders

from hubmirror.upstream.headers import decode, encode, end_to_end, field


@pytest.mark.parametrize(
    "name",
    [
        "Connection",
        "keep-alive",
        "Proxy-Authenticate",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
        "Set-Cookie",
        "Strict-Transport-Security",
        "Alt-Svc",
        "Content-Security-Policy",
        "content-security-policy-report-only",
        "Clear-Site-Data",
        "Public-Key-Pins",
        "NEL",
        "Report-To",
        "Access-Control-Allow-Origin",
        "Server",
        "Date",
        "Location",
    ],
)
def test_what_stays(name: str) -> None:
    """Hop-by-hop fields, cookies and an origin's words about itself do not pass."""
    assert end_to_end(((name, "x"), ("ETag", '"e"'))) == (("ETag", '"e"'),)


def test_what_passes() -> None:
    """What tells of the content or the API passes, in its order, repeated fields included."""
    headers = (
        ("Docker-Content-Digest", "sha256:0"),
        ("Content-Type", "text/plain"),
        ("Content-Length", "5"),
        ("WWW-Authenticate", "Basic"),
        ("WWW-Authenticate", "Bearer"),
        ("Link", "</v2/>"),
        ("RateLimit-Remaining", "1"),
    )
    assert end_to_end(headers) == headers


def test_connection_names_more() -> None:
    """A field that ``Connection`` names is of this hop alone."""
    headers = (("X-Hop", "1"), ("Connection", "close, X-HOP"), ("X-End", "2"))
    assert end_to_end(headers) == (("X-End", "2"),)


def test_decoding_defuses() -> None:
    """No line end or NUL survives in a value, and other bytes do."""
    wire = WireHeaders()
    wire.addRawHeader(b"X-Odd", b"a\rb\0c\xff")
    assert decode(wire) == (("X-Odd", "a b c\xff"),)


@given(st.lists(st.text(st.characters(min_codepoint=33, max_codepoint=255), min_size=1)))
def test_there_and_back(values: list[str]) -> None:
    """Any value of printing latin-1 text comes back as it was."""
    headers = tuple(("X-Value", value) for value in values)
    kept = tuple((name, value.strip()) for name, value in headers)
    assert tuple((name, value.strip()) for name, value in decode(encode(headers))) == kept


def test_what_latin_1_cannot_say() -> None:
    """Text outside latin-1 does not fail a request."""
    assert decode(encode((("Accept", "text/\u4e2d"),))) == (("Accept", "text/?"),)


def test_field() -> None:
    """A field is found in any case, the first of several."""
    headers = (("ETag", "1"), ("etag", "2"))
    assert field(headers, "Etag") == "1"
    assert field(headers, "Date") is None


def test_an_empty_coding_is_none() -> None:
    """What is left of ``Content-Encoding`` behind a decoder that found nothing to decode."""
    assert end_to_end((("Content-Encoding", ""), ("ETag", '"e"'))) == (("ETag", '"e"'),)
