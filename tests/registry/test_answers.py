"""The header fields of answers."""

from __future__ import annotations

import pytest

from hubmirror.question import Answer, Client, Headers
from hubmirror.registry.answers import SANDBOX, fields_of, has_no_body
from hubmirror.registry.message import Exchange, Message


def exchange(method: bytes = b"GET", target: bytes = b"/v2/a/b/tags/list") -> Exchange:
    message = Message(method, target, b"HTTP/1.1", {}, True)
    return Exchange(message, Client("192.0.2.1", "http://mirror"), 0.0)


@pytest.mark.parametrize(
    ("answer", "length", "method", "expected"),
    [
        (Answer(200, (("A", "b"), ("A", "c"))), 3, b"GET", "3"),
        (Answer(200), 0, b"GET", "0"),
        (Answer(200), None, b"GET", None),
        (Answer(200), 3, b"HEAD", "3"),
        (Answer(200), 0, b"HEAD", None),
        (Answer(304), 3, b"GET", None),
        (Answer(204), 0, b"GET", None),
    ],
)
def test_the_length_is_told_where_it_is_known(
    answer: Answer, length: int | None, method: bytes, expected: str | None
) -> None:
    """Of a HEAD's answer without bytes it is not; statuses without a body have none."""
    told: Headers = () if expected is None else (("Content-Length", expected),)
    assert fields_of(answer, length, exchange(method)) == (*answer.headers, *told, SANDBOX)


def test_the_upstreams_length_stays() -> None:
    """It knows what a HEAD would have given."""
    answer = Answer(200, (("content-length", "7"),))
    assert fields_of(answer, 0, exchange(b"HEAD")) == (*answer.headers, SANDBOX)


def test_challenges_and_links_lead_to_the_mirror() -> None:
    """Behind all else, the version of the API not twice; what leads elsewhere goes."""
    answer = Answer(
        200,
        (
            ("WWW-Authenticate", 'Bearer realm="https://auth.example/token",service="a"'),
            ("docker-distribution-api-version", "registry/2.0"),
            ("link", '</v2/a/b/tags/list?n=1>; rel="next"'),
            ("Link", "<https://elsewhere.example/>; rel=help"),
            ("Content-Length", "1"),
            ("A", "b"),
        ),
    )
    assert fields_of(answer, 1, exchange()) == (
        ("Content-Length", "1"),
        ("A", "b"),
        SANDBOX,
        ("WWW-Authenticate", 'Bearer realm="http://mirror/token",service="a"'),
        ("Link", '</v2/a/b/tags/list?n=1>; rel="next"'),
    )


def test_what_has_no_body() -> None:
    """Answers to HEAD, and two statuses."""
    assert has_no_body(Answer(200), b"HEAD")
    assert has_no_body(Answer(304), b"GET")
    assert not has_no_body(Answer(200), b"GET")
