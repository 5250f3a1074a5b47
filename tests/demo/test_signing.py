"""Tokens and URLs, by a clock of the test's own."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis.strategies import text
from twisted.internet.task import Clock

from hubmirror.demo.signing import Claims, InvalidToken, TokenMint, UrlSigner
from hubmirror.naming import Scope

CLAIMS = Claims("alice", (Scope("repository", "a/b", ("pull",)),))


def test_token_comes_back() -> None:
    """What was issued is read, until its life is over, and for its use only."""
    clock = Clock()
    mint = TokenMint(clock, b"key")
    token = mint.issue(CLAIMS, "access", 10)
    assert token.count(".") == 2
    assert mint.read(token, "access") == CLAIMS
    with pytest.raises(InvalidToken):
        mint.read(token, "refresh")
    clock.advance(10)
    with pytest.raises(InvalidToken):
        mint.read(token, "access")


def test_token_of_another_key_is_invalid() -> None:
    """A token from elsewhere does not open."""
    token = TokenMint(Clock(), b"other").issue(CLAIMS, "access", 10)
    with pytest.raises(InvalidToken):
        TokenMint(Clock(), b"key").read(token, "access")


@given(text())
def test_nonsense_is_invalid(token: str) -> None:
    """No text that was not issued here is a token, or breaks the reading."""
    with pytest.raises(InvalidToken):
        TokenMint(Clock(), b"key").read(token, "access")


def test_claims_allow_what_they_name() -> None:
    """The type, the name and each action count."""
    assert CLAIMS.allows(Scope("repository", "a/b", ("pull",)))
    assert not CLAIMS.allows(Scope("repository", "a/b", ("pull", "push")))
    assert not CLAIMS.allows(Scope("repository", "a", ("pull",)))


def test_signed_query_opens_its_path_for_a_while() -> None:
    """A query is good for its path and methods until it expires."""
    clock = Clock()
    signer = UrlSigner(clock, b"key", ("GET",), lifetime=60)
    query = dict(parse_qsl(signer.query("/a")))
    assert signer.allows("GET", "/a", query)
    assert not signer.allows("GET", "/b", query)
    assert not signer.allows("HEAD", "/a", query)
    assert not signer.allows("HEAD", "/a", {**query, "methods": "GET,HEAD"})
    assert not signer.allows("GET", "/a", {})
    clock.advance(60)
    assert not signer.allows("GET", "/a", query)
