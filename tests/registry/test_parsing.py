"""From bytes to requests: the same ones, however the bytes come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.errors import RegistryError
from hubmirror.registry.message import Message
from hubmirror.registry.parsing import MAX_BODY, MAX_HEADERS, MAX_REQUEST_LINE, RequestParser
from tests.registry.wire_bytes import HOST, connections, cut

POST = b"POST /token HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
GET = b"GET / HTTP/1.1\r\n"


def parsed(*pieces: bytes) -> list[object]:
    """What comes of it: each request's parts, and at the end what was refused, if anything was."""
    seen: list[object] = []
    parser = RequestParser(lambda message: seen.append(("head", message.target)))
    try:
        for piece in pieces:
            parser.feed(piece)
            while message := parser.take():
                seen.append(_parts(message))
    except RegistryError as error:
        seen.append((error.status, error.message))
    parser.close()
    return seen


def _parts(message: Message) -> tuple[object, ...]:
    return (
        message.method,
        message.target,
        message.version,
        message.fields,
        message.is_persistent,
        message.has_body,
        message.body,
        message.size,
    )


def message_of(data: bytes) -> Message:
    """The one request that ``data`` is."""
    parser = RequestParser(lambda _: None)
    parser.feed(data)
    message = parser.take()
    assert message is not None
    assert (parser.take(), parser.waiting, parser.has_begun) == (None, 0, False)
    return message


def test_a_request_is_taken_apart() -> None:
    """Names in lower case, values without the blanks around them, repeats in their order."""
    data = b"HEAD /a?b=c HTTP/1.1\r\nHost: x\r\nAccept: a, b\r\nACCEPT:\t c \r\nEmpty:\r\n\r\n"
    message = message_of(data)
    assert (message.method, message.target, message.version) == (b"HEAD", b"/a?b=c", b"HTTP/1.1")
    assert message.fields == {b"host": [b"x"], b"accept": [b"a, b", b"c"], b"empty": [b""]}
    assert (message.body, message.has_body, message.size) == (b"", False, len(data))


@pytest.mark.parametrize(
    ("rest", "body"),
    [
        (b"Content-Length: 0\r\n\r\n", b""),
        (b"Content-Length: 3\r\n\r\na\r\n", b"a\r\n"),
        (b"Content-Length: 003 \r\n\r\nabc", b"abc"),
        (b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b""),
        (b"Transfer-Encoding: chunked\r\n\r\n3\r\n\n\r\n\r\n00a\r\n0123456789\r\n0\r\n\r\n", None),
        (b"Content-Length: %d\r\n\r\n" % MAX_BODY + b"x" * MAX_BODY, b"x" * MAX_BODY),
    ],
)
def test_bodies(rest: bytes, body: bytes | None) -> None:
    """By their length, or in chunks; line ends within them are theirs."""
    data = POST + rest
    message = message_of(data)
    assert message.body == (b"\n\r\n0123456789" if body is None else body)
    assert message.size == len(data)


@pytest.mark.parametrize(
    ("head", "is_persistent"),
    [
        (GET + b"\r\n", True),
        (GET + b"Connection: close\r\n\r\n", False),
        (GET + b"Connection: TE, Close\r\n\r\n", False),
        (GET + b"Connection: keep-alive\r\nConnection: close\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\n\r\n", False),
    ],
)
def test_whether_the_connection_is_to_be_kept(head: bytes, is_persistent: bool) -> None:
    """RFC 9112, section 9.3."""
    assert message_of(head).is_persistent is is_persistent


def test_requests_come_one_by_one() -> None:
    """What is behind a request waits, and is not looked at."""
    parser = RequestParser(lambda _: None)
    first, second = GET + b"A: 1\r\n\r\n", POST + b"Content-Length: 1\r\n\r\nb"
    parser.feed(first + second + b"\x00")
    one = parser.take()
    assert one is not None
    assert one.fields == {b"a": [b"1"]}
    assert parser.waiting == len(second) + 1
    two = parser.take()
    assert two is not None
    assert (two.body, parser.waiting, parser.has_begun) == (b"b", 1, True)


def test_an_upgrade_is_not_heard() -> None:
    """The request counts as if it were not asked for, and so does the next one."""
    asked = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n"
    seen = parsed(GET + asked + GET + b"\r\n")
    assert [one[0] for one in seen if isinstance(one, tuple)] == ["head", b"GET"] * 2


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\r\n\r\n", 400),
        (b"\r\n" + GET[:-2] + b"\n", 400),
        (GET + b"A: b\n\r\n", 400),
        (GET + b"A: b\rC: d\r\n\r\n", 400),
        (GET + b"A: b\r\r\n\r\n", 400),
        (GET + b" A: b\r\n\r\n", 400),
        (GET + b"A: b\r\n c\r\n\r\n", 400),
        (GET + b"A: b\r\n\tc\r\n\r\n", 400),
        (GET + b"A : b\r\n\r\n", 400),
        (GET + b": b\r\n\r\n", 400),
        (GET + b"A\r\n\r\n", 400),
        (GET + b"A\x00: b\r\n\r\n", 400),
        (GET + b"A: \x00\r\n\r\n", 400),
        (GET + b"A: \x7f\r\n\r\n", 400),
        (GET + b"\xc4: b\r\n\r\n", 400),
        (b"GET\t/ HTTP/1.1\r\n", 400),
        (b"GET / HTTP/1.1 \r\n", 400),
        (b"GET /  HTTP/1.1\r\n", 400),
        (b"GET  / HTTP/1.1\r\n", 400),
        (b" GET / HTTP/1.1\r\n", 400),
        (b"GET /a b HTTP/1.1\r\n", 400),
        (b"GET /\xc3\xa9 HTTP/1.1\r\n", 400),
        (b"GET /\x00 HTTP/1.1\r\n", 400),
        (b"GET /\r\n", 400),
        (b"GET\r\n", 400),
        (b"get / HTTP/1.1\r\n", 400),
        (b"Get / HTTP/1.1\r\n", 400),
        (b"GET / http/1.1\r\n", 400),
        (b"SOURCE / ICE/1.0\r\n", 400),
        (b"OPTIONS / RTSP/1.0\r\n", 400),
        (b"PRI * HTTP/2.0\r\n", 505),
        (b"GET / HTTP/0.9\r\n", 505),
        (b"GET / HTTP/1.2\r\n", 505),
        (b"GET / HTTP/11.1\r\n", 505),
        (b"BREW / HTTP/1.1\r\n\r\n", 501),
        (b"PRI / HTTP/1.1\r\n\r\n", 400),
        (b"GET /" + b"a" * (MAX_REQUEST_LINE - 13) + b" HTTP/1.1\r\n", 414),
        (b"a" * (MAX_REQUEST_LINE + 2), 414),
        (GET + b"A: " + b"b" * (MAX_HEADERS - 5) + b"\r\n\r\n", 431),
        (GET + b"A: " + b"b" * MAX_HEADERS, 431),
        (GET + b"A: b\r\n" * (MAX_HEADERS // 6 + 1), 431),
        (POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
        (POST + b"Content-Length: 1, 1\r\n\r\n", 400),
        (POST + b"Content-Length: -1\r\n\r\n", 400),
        (POST + b"Content-Length: 0x1\r\n\r\n", 400),
        (POST + b"Content-Length: 1_0\r\n\r\n", 400),
        (POST + b"Content-Length: 1 0\r\n\r\n", 400),
        (POST + b"Content-Length:\r\n\r\n", 400),
        (POST + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n", 400),
        (POST + b"Content-Length: %d\r\n\r\n" % (MAX_BODY + 1), 413),
        (POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked, identity\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: xchunked\r\n\r\n", 400),
        (POST + b"Connection: upgrade\r\nUpgrade: a\r\nContent-Length: 1\r\n\r\n", 400),
        (POST + b"Connection: upgrade\r\nUpgrade: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (CHUNKED + b"\r\n", 400),
        (CHUNKED + b"g\r\n", 400),
        (CHUNKED + b"-1\r\n", 400),
        (CHUNKED + b"+1\r\n", 400),
        (CHUNKED + b"0x1\r\n", 400),
        (CHUNKED + b" 1\r\n", 400),
        (CHUNKED + b"1 \r\n", 400),
        (CHUNKED + b"1;\r\n", 400),
        (CHUNKED + b"1;a=b\r\n", 400),
        (CHUNKED + b"1\n", 400),
        (CHUNKED + b"000000001\r\n", 400),
        (CHUNKED + b"ffffffffff", 400),
        (CHUNKED + b"1\r\nab\r\n", 400),
        (CHUNKED + b"1\r\na\n", 400),
        (CHUNKED + b"1\r\na0\r\n\r\n", 400),
        (CHUNKED + b"0\r\nA: b\r\n\r\n", 400),
        (CHUNKED + b"0\r\n\n", 400),
        (CHUNKED + b"0\r\n0", 400),
        (CHUNKED + b"10001\r\n" + b"x" * (MAX_BODY + 1), 413),
        (CHUNKED + b"8000\r\n" + (b"x" * 0x8000 + b"\r\n8000\r\n") * 3, 413),
    ],
)
def test_refuses(data: bytes, status: int) -> None:
    """Whether it comes at once, byte by byte, or behind another request."""
    whole = parsed(data)
    assert whole[-1] == (status, whole[-1][1])  # type: ignore[index]
    assert parsed(*(data[at : at + 1] for at in range(len(data)))) == whole
    behind = parsed(GET + b"\r\n" + data)
    assert behind[-1] == whole[-1]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (GET + b"A: b\n", "bare CR or LF"),
        (GET + b"A: b\rC: d\r\n", "bare CR or LF"),
        (b"GET / HTTP/1.1\n", "bare CR or LF"),
        (POST + b"Connection: upgrade\r\nUpgrade: a\r\nContent-Length: 1\r\n\r\n", "upgrades"),
        (CHUNKED + b"0\r\nA", "trailers"),
        (CHUNKED + b"1;a=b\r\n", "extension"),
    ],
)
def test_says_what_is_wrong(data: bytes, words: str) -> None:
    """As soon as it has come."""
    assert words in str(parsed(data)[-1])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n",
        b"GET /\x00",
        GET + b"A: b\r",
        POST + b"Content-Length: 3\r\n\r\nab",
        CHUNKED + b"fffffffff",
        CHUNKED + b"3\r\nabc",
        CHUNKED + b"0\r\n\r",
        b"GET /" + b"a" * (MAX_REQUEST_LINE - 14) + b" HTTP/1.1\r\n",
        GET + b"A: " + b"b" * (MAX_HEADERS - 7) + b"\r\n",
    ],
)
def test_waits_for_more(data: bytes) -> None:
    """What may still become a request is none yet, and nothing is said about it."""
    seen = parsed(data)
    assert all(isinstance(one, tuple) and one[0] == "head" for one in seen)


def test_limits_are_what_they_say() -> None:
    """The longest request line and the largest headers that pass, passed."""
    line = b"GET /" + b"a" * (MAX_REQUEST_LINE - 14) + b" HTTP/1.1\r\n"
    assert len(line) - 2 == MAX_REQUEST_LINE
    headers = b"A: " + b"b" * (MAX_HEADERS - 7) + b"\r\n\r\n"
    assert len(headers) == MAX_HEADERS
    assert message_of(line + headers).size == len(line) + MAX_HEADERS


def test_a_head_that_is_refused_is_not_gone_on_with() -> None:
    """Whoever is asked about heads may say no before the body has come."""
    refusal = RegistryError("no")

    def accept(_message: Message) -> None:
        raise refusal

    parser = RequestParser(accept)
    parser.feed(POST + b"Content-Length: 3\r\n\r\n")
    with pytest.raises(RegistryError) as caught:
        parser.take()
    assert caught.value is refusal


@given(connections(), st.lists(st.integers()))
def test_pieces_make_no_difference(data: bytes, places: list[int]) -> None:
    """The same requests and the same refusal, however they are cut."""
    whole = parsed(data)
    assert parsed(*cut(data, places)) == whole


@given(st.binary(max_size=300), st.lists(st.integers()))
def test_any_bytes_are_requests_or_are_refused(data: bytes, places: list[int]) -> None:
    """Nothing else comes out, and in pieces the same."""
    assert parsed(*cut(data, places)) == parsed(data)


@given(st.binary(max_size=3000), st.lists(st.integers(1, 700), min_size=1))
def test_a_body_comes_as_it_was_sent(body: bytes, sizes: list[int]) -> None:
    """By its length and in chunks of any sizes."""
    data = POST + b"Content-Length: %d\r\n\r\n" % len(body) + body
    assert message_of(data).body == body
    chunks, rest = b"", body
    while rest:
        size = sizes[len(rest) % len(sizes)]
        chunks += b"%X\r\n%b\r\n" % (len(rest[:size]), rest[:size])
        rest = rest[size:]
    assert message_of(CHUNKED + chunks + b"0\r\n\r\n").body == body
