"""Answers that are there at once."""

from __future__ import annotations

import re
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure
from twisted.web.server import NOT_DONE_YET

from hubmirror.question import Answer, Client
from hubmirror.registry.api import Begun
from hubmirror.registry.message import Exchange, Message
from hubmirror.registry.quick import QuickWay, Response
from tests.mirror.hub import ACCEPT, Hub
from tests.registry.edge import Edge, hang_up

IMAGE = "/v2/library/hello/manifests/latest"
REQUEST = f"GET {IMAGE} HTTP/1.1\r\nHost: mirror.example:5000\r\n{ACCEPT}\r\n\r\n".encode()


def exchange(
    method: bytes = b"GET",
    target: bytes = IMAGE.encode(),
    version: bytes = b"HTTP/1.1",
    has_body: bool = False,
) -> Exchange:
    message = Message(method, target, version, {b"host": [b"a"]}, True, has_body)
    return Exchange(message, Client("192.0.2.1", "http://a"), 0.0, "0123456789abcdef")


def begun(answer: Answer | Deferred[Answer]) -> Begun:
    charge: Any = None
    deferred = succeed(answer) if isinstance(answer, Answer) else answer
    return Begun(charge, deferred, lambda _kind, _seconds: None)


def response(
    answer: Answer, asked: Exchange | None = None, *, is_last: bool = False
) -> Response | None:
    way = QuickWay(lambda: 0.0)
    return way.response(begun(answer), asked or exchange(), is_last=is_last)


def test_a_whole_response() -> None:
    """Head and body, as the tree of resources would write them."""
    written = response(Answer(200, (("etag", '"x"'), ("X-A", "\xe9\r\nb")), b"body"))
    assert written is not None
    assert written.sent == 4
    assert written.data == (
        b"HTTP/1.1 200 OK\r\n"
        b"X-Request-Id: 0123456789abcdef\r\n"
        b"Server: hubmirror\r\n"
        b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
        b"Access-Control-Allow-Origin: *\r\n"
        b"Access-Control-Expose-Headers: *\r\n"
        b"X-Content-Type-Options: nosniff\r\n"
        b"Docker-Distribution-Api-Version: registry/2.0\r\n"
        b'ETag: "x"\r\n'
        b"X-A: \xe9 b\r\n"
        b"Content-Length: 4\r\n"
        b"Content-Security-Policy: default-src 'none'; sandbox\r\n\r\n"
        b"body"
    )


@pytest.mark.parametrize(
    ("answer", "asked", "length"),
    [
        (Answer(200, (), b"body"), exchange(b"HEAD"), b"4"),
        (Answer(304, (), b""), exchange(), None),
        (Answer(200, (("Content-Length", "9"),), b""), exchange(b"HEAD"), b"9"),
    ],
)
def test_without_a_body(answer: Answer, asked: Exchange, length: bytes | None) -> None:
    """Nothing follows the head, which tells the length where there is one to tell."""
    written = response(answer, asked)
    assert written is not None
    assert (written.data[-4:], written.sent) == (b"\r\n\r\n", 0)
    found = re.search(rb"Content-Length: (\d+)", written.data)
    assert (found and found[1]) == length


def test_the_last_one_says_so() -> None:
    """And an old client gets an old version."""
    written = response(Answer(200), exchange(version=b"HTTP/1.0"), is_last=True)
    assert written is not None
    assert written.data.startswith(b"HTTP/1.0 200 OK\r\nConnection: close\r\n")


def test_the_date_goes_on() -> None:
    """It is made once a second, and not from another one."""
    seconds = [0.5, 0.9, 1.0, 0.1]
    way = QuickWay(lambda: seconds.pop(0))
    dates = []
    for _ in range(4):
        written = way.response(begun(Answer(200)), exchange(), is_last=False)
        assert written is not None
        dates.append(re.findall(rb"00:00:0\d", written.data)[0][-1:])
    assert dates == [b"0", b"0", b"1", b"0"]


def test_what_is_not_quick() -> None:
    """Bodies that are no bytes, answers that are not there, defects, what can't be written."""
    way, stream = QuickWay(), Answer(200, (), object())  # type: ignore[arg-type]
    for work in (None, Failure(ValueError()), begun(stream), begun(Deferred())):
        assert way.response(work, exchange(), is_last=False) is None
    assert response(Answer(200, (("X", "€"),))) is None
    assert response(Answer(200, (("X y", "z"),))) is None


@pytest.mark.parametrize(
    "asked",
    [
        exchange(b"POST"),
        exchange(b"OPTIONS"),
        exchange(target=b"/token"),
        exchange(target=b"/v2"),
        exchange(target=b"/%762/"),
        exchange(has_body=True),
    ],
)
def test_what_goes_the_usual_way(asked: Exchange) -> None:
    """The work on it is not begun."""
    api: Any = None
    assert QuickWay().begin(api, asked) is None


def test_a_defect_is_handed_on() -> None:
    """To be told where the usual way tells it."""
    api: Any = object()
    work = QuickWay().begin(api, exchange())
    assert isinstance(work, Failure)
    assert work.check(AttributeError)


def warmed(**settings: Any) -> Edge:
    """A mirror that keeps a public image in memory."""
    hub = Hub(Edge(prefetch="off", remembers=True, **settings))
    hub.put_image("library/hello", "latest", b"first")
    assert hub.get(IMAGE, hub.token("alice", "library/hello"), ACCEPT).status() == 200
    return hub.edge


def test_the_tree_is_not_asked() -> None:
    """For what is kept, and for what is refused at once."""
    edge = warmed()
    edge.site.getResourceFor = None  # type: ignore[method-assign,assignment]
    assert edge.get(IMAGE, ACCEPT).status() == 200
    assert edge.get(IMAGE, ACCEPT, method="HEAD").status() == 200
    assert edge.get("/v2/Hello/manifests/latest").status() == 404


def test_what_is_not_there_at_once_is_asked_once() -> None:
    """The usual way goes on with what has begun: one question, one request counted."""
    edge = Edge(quota=10)
    edge.upstream.answer = lambda _request: b"{}"
    assert edge.get("/v2/").status() == 200
    assert len(edge.upstream.requests) == 1
    assert edge.quota.day().used == 1


def test_whoever_leaves_ends_it() -> None:
    """What has begun for a client alone ends with the client."""
    edge = Edge()
    ended: list[object] = []

    def answer(request: Any) -> int:
        request.notifyFinish().addErrback(ended.append)
        return NOT_DONE_YET

    edge.upstream.answer = answer
    protocol, _ = edge.connect()
    protocol.dataReceived(b"GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (protocol.is_busy, ended) == (True, [])
    hang_up(protocol)
    edge.settle()
    assert len(ended) == 1


def test_without_a_quick_way_there_is_the_other() -> None:
    """Which says the same."""
    quick, usual = warmed(), warmed(is_quick=False)
    said = [
        re.sub(rb"(X-Req|Date).*\r\n", b"", edge.send(REQUEST).value()) for edge in (quick, usual)
    ]
    assert said[0] == said[1]
    assert said[0].startswith(b"HTTP/1.1 200 OK\r\n")
