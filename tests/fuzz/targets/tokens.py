"""A token server's answer."""

from __future__ import annotations

from hubmirror.errors import UpstreamFailure
from hubmirror.tokens.answers import parse_token_answer
from tests.fuzz.target import Target


def run(data: bytes) -> None:
    """A token that a field can hold, and a life within a day, or an ``UpstreamFailure``."""
    try:
        answer = parse_token_answer(data, "auth.example")
    except UpstreamFailure as error:
        assert str(error) == "auth.example answered without a usable token"  # noqa: PT017
        return
    assert answer.token.isascii()
    assert answer.token.isprintable()
    assert " " not in answer.token
    assert 0 < answer.life <= 86400
    assert answer.token not in repr(answer)


TARGET = Target(
    run,
    (
        b'{"token": "abc.def", "access_token": "x", "expires_in": 300, "issued_at": "2020"}',
        b'{"access_token": "t", "expires_in": 1e10}',
    ),
    (b'"token":', b'"access_token":', b'"expires_in":', b'"', b"Infinity", b"-0", b"1e-300"),
)
