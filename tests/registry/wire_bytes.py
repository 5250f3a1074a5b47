"""Bytes that clients might send: right, wrong, and wrong in ways that somebody reads otherwise."""

from __future__ import annotations

from hypothesis import strategies as st

__all__ = ["HOST", "connections", "cut"]

HOST = b"Host: mirror.example:5000\r\n"

_POST = b"POST /token HTTP/1.1\r\n" + HOST
_FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
_RIGHT = [
    b"GET /x HTTP/1.1\r\n" + HOST + b"\r\n",
    b"HEAD /x HTTP/1.1\r\n" + HOST + b"Accept: a\r\nAccept:\tb \r\nEmpty:\r\n\r\n",
    b"\r\nOPTIONS /v2/ HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /v2/A/manifests/x HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /x HTTP/1.0\r\n\r\n",
    b"GET /x HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n",
    b"GET /x HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    b"GET http://127.0.0.1:5000/x?a HTTP/1.1\r\n" + HOST + b"\r\n",
    _POST + b"Content-Length: 5\r\n\r\na=b\r\n",
    _POST + b"Content-Length: 0\r\n\r\n",
    _POST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\na=b",
    _POST + b"Transfer-Encoding: chunked\r\n\r\n4\r\na=\r\n\r\n00A\r\n0123456789\r\n0\r\n\r\n",
    _POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
]
_WRONG = [
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET /x HTTP/2.0\r\n" + HOST + b"\r\n",
    b"GET /\r\n\r\n",
    b"BREW /x HTTP/1.1\r\n" + HOST + b"\r\n",
    b"get /x HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET  /x HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /x HTTP/1.1\r\n" + HOST + b" folded\r\n\r\n",
    b"GET /x HTTP/1.1\r\n" + HOST + b"X : y\r\n\r\n",
    b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /x HTTP/1.1\r\n" + HOST + (b"X: " + b"y" * 1000 + b"\r\n") * 17 + b"\r\n",
    _POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\na=b",
    _POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    _POST + b"Content-Length: 65537\r\n\r\n",
    _POST + b"Transfer-Encoding: chunked\r\n\r\n3;a=b\r\na=b\r\n0\r\n\r\n",
    _POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\na=b\r\n0\r\nX: y\r\n\r\n",
    _POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\na=bcd\r\n0\r\n\r\n",
    _POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"4000\r\n" + b"x" * 16384 + b"\r\n4000\r\n",
]
_ODD = [b"\n", b"\r", b"\r\n", b"\r\n\r\n", b"\x00", b" ", b":", b"0", b"\xff", b"\x16", b"HTTP/"]


@st.composite
def connections(draw: st.DrawFn) -> bytes:
    """What one client sends: requests, most of them right, now and then with something inserted."""
    many = st.lists(st.sampled_from(_RIGHT) | st.sampled_from(_RIGHT + _WRONG), max_size=5)
    data = b"".join(draw(many))
    for odd in draw(st.lists(st.sampled_from(_ODD), max_size=2)):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + odd + data[at + draw(st.integers(0, 2)) :]
    return data


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """``data`` in pieces; ``places`` count in bytes, from its start or its end."""
    at = sorted({place % (len(data) + 1) for place in places})
    ends = zip([0, *at], [*at, len(data)], strict=True)
    return [data[start:end] for start, end in ends if end > start]
