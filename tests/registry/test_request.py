"""A request's parameters and the URL by which its sender knows the mirror."""

from __future__ import annotations

import pytest

from hubmirror.errors import BadRequest
from hubmirror.registry.request import parse_parameters
from tests.registry.edge import Edge


def test_parameters_keep_order_and_repeats() -> None:
    """A token request may have several scopes."""
    assert parse_parameters(b"scope=a%3Ab&x=&scope=c+d") == (
        ("scope", "a:b"),
        ("x", ""),
        ("scope", "c d"),
    )
    assert parse_parameters(b"") == ()


@pytest.mark.parametrize(
    "encoded",
    [b"a=%0d%0a", b"a=%00", b"%0a=b", b"a=%ff", "a=é".encode(), b"&".join([b"a=b"] * 101)],
)
def test_malformed_parameters(encoded: bytes) -> None:
    """Control characters, no UTF-8, or far too many."""
    with pytest.raises(BadRequest):
        parse_parameters(encoded)


def test_without_a_host_the_connection_names_the_mirror() -> None:
    """HTTP/1.0 may do without."""
    edge = Edge()

    def answer(request: object) -> bytes:
        request.setResponseCode(401)  # type: ignore[attr-defined]
        request.setHeader("WWW-Authenticate", 'Bearer realm="https://a"')  # type: ignore[attr-defined]
        return b""

    edge.upstream.answer = answer
    wire = edge.send(b"GET /v2/ HTTP/1.0\r\n\r\n")
    assert 'realm="http://127.0.0.1:5000/token"' in wire.head()
    assert wire.hung_up
