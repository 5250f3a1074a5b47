"""What a token server answers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.errors import UpstreamFailure
from hubmirror.tokens.answers import TokenAnswer, parse_token_answer

HOST = "auth"


@pytest.mark.parametrize(
    ("document", "token"),
    [
        ({"token": "t"}, "t"),
        ({"access_token": "a"}, "a"),
        ({"token": "t", "access_token": "a"}, "t"),
        ({"token": "", "access_token": "a"}, "a"),
        ({"token": None, "access_token": "a"}, "a"),
    ],
)
def test_either_name_will_do(document: dict[str, object], token: str) -> None:
    """Some servers write the one, some the other, some both."""
    assert parse_token_answer(json.dumps(document).encode(), HOST) == TokenAnswer(token, 60.0)


@pytest.mark.parametrize(
    ("expires_in", "life"),
    [
        ("300", 300.0),
        ("0.5", 0.5),
        ("1e300", 86400.0),
        ("1" + "0" * 400, 86400.0),
        ("Infinity", 86400.0),
        ("NaN", 60.0),
        ("0", 60.0),
        ("-5", 60.0),
        ("true", 60.0),
        ('"300"', 60.0),
        ("null", 60.0),
    ],
)
def test_lives(expires_in: str, life: float) -> None:
    """Seconds; what makes no sense counts as not said, and a day is the most."""
    body = f'{{"token":"t","expires_in":{expires_in}}}'.encode()
    assert parse_token_answer(body, HOST).life == life


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"s3cret",
        b"\xff\xfe",
        b"[" * 100_000,
        b'["s3cret"]',
        b"{}",
        b'{"token":5}',
        b'{"token":["s3cret"]}',
        b'{"token":"s3cret\\r\\nX: y"}',
        b'{"token":"s3cret and more"}',
        b'{"token":"s3cret\\u00fc"}',
        b'{"token":"' + b"s3cret" * 5000 + b'"}',
    ],
    ids=range(12),
)
def test_what_is_no_token(body: bytes) -> None:
    """It is refused by the server's name, in words that tell nothing of the body."""
    with pytest.raises(UpstreamFailure, match=HOST) as caught:
        parse_token_answer(body, HOST)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_token_is_not_in_the_repr() -> None:
    """An answer that lands in a log shows none."""
    assert "s3cret" not in repr(parse_token_answer(b'{"token":"s3cret"}', HOST))


@given(st.binary())
def test_any_bytes(body: bytes) -> None:
    """Whatever comes, there is a token that could be sent, or an ``UpstreamFailure``."""
    assert safe_token(body).isprintable()


@given(st.dictionaries(st.sampled_from(["token", "access_token", "expires_in"]), st.text()))
def test_any_document(document: dict[str, str]) -> None:
    """So for documents of the right form."""
    assert safe_token(json.dumps(document).encode()).isascii()


def safe_token(body: bytes) -> str:
    """The token in ``body``, "" where it is refused."""
    try:
        return parse_token_answer(body, HOST).token
    except UpstreamFailure:
        return ""
