"""What came over the wire, as text and as parameters, and its line in the log."""

from __future__ import annotations

import pytest

from hubmirror.errors import BadRequest
from hubmirror.question import Client
from hubmirror.registry.message import Exchange, Message, parse_parameters, query_of, segments_of


def message(target: bytes = b"/", **fields: list[bytes]) -> Message:
    """A GET with ``fields``; ``_`` in a name is ``-``."""
    named = {name.replace("_", "-").encode(): values for name, values in fields.items()}
    return Message(b"GET", target, b"HTTP/1.1", named, True)


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


def test_a_target_is_path_and_query() -> None:
    """Segments are decoded one by one, so that an encoded slash is none."""
    assert message(b"/a/b?c=d?e").path == b"/a/b"
    assert segments_of(b"/v2/a%2Fb/%ff/?x=/y") == [b"v2", b"a/b", b"\xff", b""]
    assert query_of(b"/a?b=c?d&e=%20") == (("b", "c?d"), ("e", " "))


def test_fields_are_text() -> None:
    """Latin-1, in any number, or not there."""
    asked = message(accept=[b"a", b"\xe9"], x_y=[b"z"])
    assert asked.text(b"accept") == "a"
    assert asked.texts(b"accept") == ("a", "\xe9")
    assert (asked.text(b"range"), asked.texts(b"range")) == (None, ())
    assert list(asked.all_texts()) == [("accept", "a"), ("accept", "\xe9"), ("x-y", "z")]


def test_a_line_tells_what_came_of_it() -> None:
    """Values of parameters that may be secrets are not in it."""
    exchange = Exchange(message(b"/token?scope=a&password=b"), Client("192.0.2.1", "http://a"), 5.0)
    line = exchange.line(status=200, sent=3, seconds=0.12345, upstream=0.1, is_whole=False)
    assert line == {
        "client": "192.0.2.1",
        "method": "GET",
        "path": "/token?scope=a&password=-",
        "status": 200,
        "bytes": 3,
        "seconds": 0.1235,
        "id": exchange.id,
        "upstream": 0.1,
        "aborted": True,
    }
    assert list(exchange.line(status=200, sent=0, seconds=0, upstream=None))[-1] == "id"


def test_each_has_an_id_of_its_own() -> None:
    """Sixteen digits."""
    ids = {Exchange(message(), Client("", ""), 0.0).id for _ in range(100)}
    assert len(ids) == 100
    assert {len(one) for one in ids} == {16}
