"""What a proxy in front might read otherwise than this server is refused, and nothing behind it

is served: no client can put a request into another's mouth. Source: RFC 9112, section 11.2.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.registry.edge import Edge
from tests.registry.wire_bytes import HOST, connections, cut

#: The request that is hidden: served it would leave a trace at the upstream.
HIDDEN = b"GET /v2/library/hidden/tags/list HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST /token HTTP/1.1\r\n" + HOST
CHUNKED = b"Transfer-Encoding: chunked\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(HIDDEN)


@pytest.mark.parametrize(
    "data",
    [
        # Two lengths, the same or not, in one field or two.
        POST + LENGTH + b"Content-Length: 0\r\n\r\n" + HIDDEN,
        POST + b"Content-Length: 0\r\n" + LENGTH + b"\r\n" + HIDDEN,
        POST + LENGTH + LENGTH + b"\r\n" + HIDDEN,
        POST + b"Content-Length: 0, %d\r\n\r\n" % len(HIDDEN) + HIDDEN,
        # Lengths that somebody reads as another number.
        *(
            POST + b"Content-Length: %b\r\n\r\n" % text + HIDDEN
            for text in (b"+0", b"-0", b"0x0", b"0 1", b"0_0", b"0;", b"\x0b0", b"", b"0\x00")
        ),
        # A length and a coding, in either order, whole or hidden.
        POST + LENGTH + CHUNKED + b"\r\n0\r\n\r\n" + HIDDEN,
        POST + CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n" + HIDDEN,
        *(
            POST + b"%b\r\n" % line + LENGTH + b"\r\n0\r\n\r\n" + HIDDEN
            for line in (
                *(b"Transfer-Encoding : chunked", b"Transfer-Encoding\t: chunked"),
                *(b" Transfer-Encoding: chunked", b"X: y\r\n Transfer-Encoding: chunked"),
                *(b"Transfer-Encoding: chunked\nX: y", b"X: y\nTransfer-Encoding: chunked"),
                *(b"Transfer-Encoding: chunked\rX: y", b"X: y\rTransfer-Encoding: chunked"),
                *(b"Transfer-Encoding:\r\n chunked", b"Transfer-Encoding:\x0bchunked"),
                *(b"Transfer-Encoding: xchunked", b"Transfer-Encoding: identity"),
                *(b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: chunked\x00"),
            )
        ),
        # Codings that not all understand.
        *(
            POST + b"%b\r\n\r\n0\r\n\r\n" % line + HIDDEN
            for line in (
                *(b"Transfer-Encoding: identity, chunked", b"Transfer-Encoding: chunked, chunked"),
                *(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",),
                *(b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",),
                *(b'Transfer-Encoding: "chunked"', b"Transfer-Encoding: chunked;a=b"),
            )
        ),
        b"POST /token HTTP/1.0\r\n" + HOST + CHUNKED + b"\r\n0\r\n\r\n" + HIDDEN,
        # Chunks whose ends not all find in the same place.
        *(
            POST + CHUNKED + b"\r\n" + body + HIDDEN
            for body in (
                *(b"0;a\r\n\r\n", b'0;a="\r\n\r\n', b"0;\n\r\n\r\n", b"0 \r\n\r\n", b"0\n\n"),
                *(b"0\r\n\n", b"0\n\r\n", b"0\r\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"0x0\r\n\r\n"),
                *(b"2\r\nab\n0\r\n\r\n", b"2\r\nab0\r\n\r\n", b"2\r\nabX\r\n0\r\n\r\n"),
                *(b"100000000\r\n0\r\n\r\n", b"-1\r\n0\r\n\r\n", b"\r\n0\r\n\r\n"),
            )
        ),
        # Bodies where not all expect one.
        b"GET /x HTTP/1.1\r\n" + HOST + LENGTH + b"\r\n" + HIDDEN,
        b"HEAD /x HTTP/1.1\r\n" + HOST + CHUNKED + b"\r\n0\r\n\r\n" + HIDDEN,
        POST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n" + LENGTH + b"\r\n" + HIDDEN,
        # Heads whose ends not all find in the same place.
        b"GET /x HTTP/1.1\r\n" + HOST + b"X: y\n\r\n" + HIDDEN,
        b"GET /x HTTP/1.1\r\n" + HOST + b"\n" + HIDDEN,
        b"GET /x HTTP/1.1\n" + HOST + b"\r\n" + HIDDEN,
        b"GET /x HTTP/1.1\r\n" + HOST + b"X: y\r\r\n\r\n" + HIDDEN,
        b"GET /x HTTP/1.1\r\r\n" + HOST + b"\r\n" + HIDDEN,
        b"GET /x\r\n\r\n" + HIDDEN,
        b"\r\n\r\n" + HIDDEN,
        # Requests that not all send to the same place.
        b"GET /x HTTP/1.1\r\n" + HOST + HOST + b"\r\n" + HIDDEN,
        b"GET /x HTTP/1.1\r\n" + HOST + b"Host: other\r\n\r\n" + HIDDEN,
        b"GET /x HTTP/1.1\r\nHost: a, b\r\n\r\n" + HIDDEN,
        b"GET /x HTTP/1.1\r\nHost : a\r\n" + HOST + b"\r\n" + HIDDEN,
        b"GET /x HTTP/1.1\r\nX: y\r\n Host: a\r\n" + HOST + b"\r\n" + HIDDEN,
        b"GET /x HTTP/1.1 HTTP/1.1\r\n" + HOST + b"\r\n" + HIDDEN,
        b"GET /x\x00 HTTP/1.1\r\n" + HOST + b"\r\n" + HIDDEN,
        b"CONNECT mirror.example:5000 HTTP/1.1\r\n" + HOST + b"\r\n" + HIDDEN,
    ],
)
def test_nothing_is_served_behind_it(data: bytes) -> None:
    """One refusal, and the end; in one piece and byte by byte, and also behind a right request."""
    whole = _sent(data)
    assert whole == _sent(*(data[at : at + 1] for at in range(len(data))))
    assert [status for status, _ in whole] in ([400], [405])
    behind = _sent(b"GET /x HTTP/1.1\r\n" + HOST + b"\r\n" + data)
    assert [status for status, _ in behind] == [404, whole[0][0]]


def _sent(*pieces: bytes) -> list[tuple[int, bytes]]:
    """The responses, as status and body, of a server that then hung up and asked nobody."""
    edge = Edge()
    protocol, wire = edge.connect()
    for piece in pieces:
        protocol.dataReceived(piece)
    edge.settle()
    assert wire.hung_up
    assert edge.upstream.requests == []
    return _responses(wire.value())


def _responses(data: bytes) -> list[tuple[int, bytes]]:
    heads = re.split(rb"(?=HTTP/1\.[01] \d{3} )", data)[1:]
    return [(int(one.split(b" ", 2)[1]), one.partition(b"\r\n\r\n")[2]) for one in heads]


def test_a_hidden_request_would_be_seen() -> None:
    """The check itself can fail: in the open it is served."""
    edge = Edge()
    wire = edge.send(b"GET /x HTTP/1.1\r\n" + HOST + b"\r\n" + HIDDEN)
    assert [status for status, _ in _responses(wire.value())] == [404, 200]
    assert [uri for _, uri, _, _ in edge.upstream.requests] == ["/v2/library/hidden/tags/list"]


def test_pieces_make_no_difference() -> None:
    """The same responses, byte for byte but for ids and dates, and the same end."""
    edge = Edge()

    @given(connections(), st.lists(st.integers()))
    def check(data: bytes, places: list[int]) -> None:
        assert _told(edge, *cut(data, places)) == _told(edge, *cut(data, []))

    check()


def _told(edge: Edge, *pieces: bytes) -> tuple[bytes, bool]:
    protocol, wire = edge.connect()
    for piece in pieces:
        protocol.dataReceived(piece)
    edge.settle()
    told = re.sub(rb"(X-Request-Id|Date): [^\r]*", b"", wire.value())
    hung_up = wire.hung_up
    protocol.connectionLost()
    return told, hung_up
