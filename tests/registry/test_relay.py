"""Requests that another process serves: passed on as they came, and asked again where it died."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from hubmirror.errors import RegistryError
from hubmirror.registry.relay import KEPT, PATIENCE, PAUSE
from tests.registry.relaying import ETAG, Line, Worker, head

BLOB = bytes(range(256)) * 4
OK = head(b"200 OK", b"Content-Length: 2") + b"ok"


@pytest.fixture
def worker() -> Worker:
    """One before another process."""
    return Worker()


def blob_head(data: bytes = BLOB, etag: bytes = ETAG) -> bytes:
    """The head of a blob's whole answer."""
    return head(
        b"200 OK", b"Content-Length: %d" % len(data), b"ETag: " + etag, b"Accept-Ranges: bytes"
    )


def rest_head(first: int, last: int, size: int = len(BLOB), etag: bytes = ETAG) -> bytes:
    """The head of a part."""
    return head(
        b"206 Partial Content",
        b"Content-Length: %d" % (last - first + 1),
        b"Content-Range: bytes %d-%d/%d" % (first, last, size),
        b"ETag: " + etag,
        b"Accept-Ranges: bytes",
    )


class TestAsking:
    """What the other process gets."""

    def test_a_request_as_it_came(self, worker: Worker) -> None:
        """Method, target, fields and their order; and who it is from."""
        worker.send(
            b"GET /v2/a/manifests/b%20c?ns=docker.io HTTP/1.1\r\nHost: mirror.example:5000\r\n"
            b"Accept: a/b\r\nAccept: c/d\r\nAuthorization: Bearer t\r\nRange: bytes=1-2\r\n\r\n"
        )
        assert worker.other.line.asked() == (
            b"GET /v2/a/manifests/b%20c?ns=docker.io HTTP/1.1\r\nhost: mirror.example:5000\r\n"
            b"accept: a/b\r\naccept: c/d\r\nauthorization: Bearer t\r\nrange: bytes=1-2\r\n"
            b"hubmirror-caller: 192.0.2.1 127.0.0.1:5000 http\r\n\r\n"
        )

    def test_a_body(self, worker: Worker) -> None:
        """With its length."""
        worker.send(b"POST /token HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\na=b+c")
        asked = worker.other.line.asked()
        assert asked.startswith(b"POST /token HTTP/1.1\r\n")
        assert asked.count(b"content-length: 5\r\n") == 1
        assert asked.endswith(b"\r\n\r\na=b+c")

    def test_a_chunked_body(self, worker: Worker) -> None:
        """It has come whole, so its length is known: nothing of the chunks is passed on."""
        worker.send(
            b"POST /token HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\na=b\r\n2\r\n+c\r\n0\r\n\r\n"
        )
        asked = worker.other.line.asked()
        assert b"chunked" not in asked
        assert asked.count(b"content-length: 5\r\n") == 1
        assert asked.endswith(b"\r\n\r\na=b+c")

    def test_an_empty_body(self, worker: Worker) -> None:
        """The request ends with its head."""
        worker.send(b"POST /token HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        assert worker.other.line.asked().endswith(b"\r\n\r\n")
        assert not worker.other.line.is_aborted

    @pytest.mark.parametrize(
        "field",
        ["Connection: close", "Keep-Alive: timeout=5", "TE: trailers", "Proxy-Connection: close"],
    )
    def test_what_is_said_of_the_connection_stays(self, worker: Worker, field: str) -> None:
        """RFC 9110, section 7.6.1: it is about the client's own."""
        worker.get("/v2/", field)
        name = field.partition(":")[0].lower().encode()
        assert name not in worker.other.line.fields()

    def test_what_a_proxy_says_is_not_dropped(self, worker: Worker) -> None:
        """Though a client says that it is about its connection: both ends are one server."""
        named = "Connection: keep-alive, X-Forwarded-For"
        worker.get("/v2/", "X-Forwarded-For: 203.0.113.9", named)
        assert worker.other.line.fields()[b"x-forwarded-for"] == [b"203.0.113.9"]

    @pytest.mark.parametrize("name", ["Hubmirror-Caller", "hubmirror-caller", "HUBMIRROR-CALLER"])
    def test_nobody_can_say_who_he_is(self, worker: Worker, name: str) -> None:
        """The worker alone tells it, once."""
        forged = f"{name}: 10.0.0.1 evil:1 https"
        worker.get("/v2/", forged, forged)
        told = worker.other.line.fields()[b"hubmirror-caller"]
        assert told == [b"192.0.2.1 127.0.0.1:5000 http"]

    def test_nobody_can_say_it_after_a_body(self, worker: Worker) -> None:
        """In a trailer (RFC 9112, section 7.1.2)."""
        worker.send(
            b"POST /token HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"1\r\nx\r\n0\r\nHubmirror-Caller: 10.0.0.1 evil:1 https\r\n\r\n"
        )
        asked = [line.asked() for line in worker.other.lines]
        assert b"10.0.0.1" not in b"".join(asked)

    def test_each_client_is_told_as_itself(self, worker: Worker) -> None:
        """Also on a connection that was used for another."""
        for peer in ("192.0.2.1", "192.0.2.2", "2001:db8::1"):
            worker.send(b"GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n", peer)
            assert worker.other.line.fields()[b"hubmirror-caller"][0].startswith(peer.encode())
            worker.other.line.say(OK)
        assert len(worker.other.lines) == 1

    def test_http_1_0_may_have_no_host(self, worker: Worker) -> None:
        """The other process gets one: this end's."""
        wire = worker.send(b"GET /v2/ HTTP/1.0\r\n\r\n")
        assert worker.other.line.fields()[b"host"] == [b"127.0.0.1:5000"]
        worker.other.line.say(OK)
        assert wire.body() == b"ok"
        assert wire.hung_up


class TestAnswers:
    """What the client gets."""

    def test_status_fields_and_body(self, worker: Worker) -> None:
        """As the other process has them, whatever this one would say, and each once."""
        wire = worker.get()
        worker.other.line.say(
            head(
                b"404 Not Found",
                b"Content-Length: 4",
                b"Content-Type: application/json",
                b"X-Request-Id: theirs",
                b"Date: Thu, 01 Jan 1970 00:00:00 GMT",
                b"Warning: one",
                b"Warning: two",
            )
            + b"gone",
            at_once=3,
        )
        lines = wire.head().lower().split("\r\n")
        assert lines[0] == "http/1.1 404 not found"
        for line in (
            *("content-length: 4", "content-type: application/json", "x-request-id: theirs"),
            *("date: thu, 01 jan 1970 00:00:00 gmt", "warning: one", "warning: two"),
        ):
            assert lines.count(line) == 1
        names = [line.partition(":")[0] for line in lines[1:]]
        assert {name for name in names if names.count(name) > 1} == {"warning"}
        assert wire.body() == b"gone"
        assert not wire.hung_up

    def test_the_connections_are_apart(self, worker: Worker) -> None:
        """That the other process ends its own is no end of the client's; and the other way."""
        wire = worker.get()
        worker.other.line.say(head(b"200 OK", b"Content-Length: 0", b"Connection: close"))
        assert "connection" not in wire.head().lower()
        assert not wire.hung_up
        wire = worker.get("/v2/", "Connection: close")
        worker.other.line.say(head(b"200 OK", b"Content-Length: 0", b"Connection: keep-alive"))
        assert "connection: close" in wire.head().lower()
        assert wire.hung_up

    def test_a_head_has_no_body(self, worker: Worker) -> None:
        """Its length is told, and the connection is ready for the next at once."""
        wire = worker.get(method="HEAD")
        worker.other.line.say(blob_head())
        assert f"content-length: {len(BLOB)}" in wire.head().lower()
        assert wire.body() == b""
        again = worker.get()
        worker.other.line.say(OK)
        assert again.body() == b"ok"
        assert len(worker.other.lines) == 1

    @pytest.mark.parametrize("status", [b"304 Not Modified", b"204 No Content"])
    def test_some_answers_have_no_body(self, worker: Worker, status: bytes) -> None:
        """By their status; the connection goes on."""
        wire = worker.get("/v2/a/blobs/x", f"If-None-Match: {ETAG.decode()}")
        worker.other.line.say(head(status, b"ETag: " + ETAG, b"Accept-Ranges: bytes"))
        assert wire.status() == int(status[:3])
        assert wire.body() == b""
        assert not wire.hung_up
        again = worker.get()
        worker.other.line.say(OK)
        assert again.body() == b"ok"
        assert len(worker.other.lines) == 1

    @pytest.mark.parametrize("at_once", [1, 7, 65536])
    def test_a_chunked_answer(self, worker: Worker, at_once: int) -> None:
        """Its length is not known: chunks to the client, too, as they come."""
        wire = worker.get("/v2/a/tags/list")
        worker.other.line.say(head(b"200 OK", b"Transfer-Encoding: chunked"), at_once)
        worker.other.line.say(b"4\r\nfour\r\n", at_once)
        assert wire.head().lower().count("transfer-encoding: chunked") == 1
        assert dechunked(wire.body()) == b"four"
        worker.other.line.say(b"5\r\n five\r\n0\r\n\r\n", at_once)
        assert dechunked(wire.body()) == b"four five"
        assert wire.body().endswith(b"\r\n0\r\n\r\n")
        assert not wire.hung_up

    def test_a_chunked_answer_to_http_1_0(self, worker: Worker) -> None:
        """It ends with the connection."""
        wire = worker.send(b"GET /v2/ HTTP/1.0\r\n\r\n")
        worker.other.line.say(head(b"200 OK", b"Transfer-Encoding: chunked"))
        worker.other.line.say(b"4\r\nfour\r\n0\r\n\r\n")
        assert wire.body() == b"four"
        assert wire.hung_up

    def test_bytes_leave_as_they_come(self, worker: Worker) -> None:
        """Nothing waits for the rest."""
        wire = worker.get()
        worker.other.line.say(blob_head())
        assert wire.status() == 200
        worker.other.line.say(BLOB[:100])
        assert wire.body() == BLOB[:100]

    def test_requests_of_one_connection_follow_each_other(self, worker: Worker) -> None:
        """Pipelined ones, too: each answer to its own."""
        request = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"
        wire = worker.send(request % 1 + request % 2)
        assert worker.other.line.asked().startswith(b"GET /1 ")
        worker.other.line.say(head(b"200 OK", b"Content-Length: 3") + b"one")
        worker.clock.advance(0)
        assert worker.other.line.asked().startswith(b"GET /2 ")
        worker.other.line.say(head(b"200 OK", b"Content-Length: 3") + b"two")
        assert wire.value().index(b"one") < wire.value().index(b"two")

    def test_a_client_that_is_slow_stops_the_other_process(self, worker: Worker) -> None:
        """Memory does not grow with what it has not taken."""
        send, _, channel = worker.connect()
        send(b"GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n")
        worker.other.line.say(blob_head() + BLOB[:10])
        channel.pauseProducing()
        assert worker.other.line.producerState == "paused"
        channel.resumeProducing()
        assert worker.other.line.producerState == "producing"

    def test_a_line_is_not_left_paused(self, worker: Worker) -> None:
        """By a client who takes his time over the end of his answer."""
        send, _, channel = worker.connect()
        send(b"GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n")
        worker.other.line.say(blob_head() + BLOB[:-1])
        channel.pauseProducing()
        worker.other.line.say(BLOB[-1:])
        assert worker.other.line.producerState == "producing"


class TestLines:
    """The connections between the two."""

    def test_each_carries_one_request_at_a_time(self, worker: Worker) -> None:
        """Who comes meanwhile has another; afterwards both are used again."""
        wires = [worker.get(f"/{number}") for number in range(3)]
        assert len(worker.other.lines) == 3
        for line in worker.other.lines:
            name = line.asked().split(b" ")[1]
            line.say(head(b"200 OK", b"Content-Length: 2") + name)
        assert [wire.body() for wire in wires] == [b"/0", b"/1", b"/2"]
        for number in range(3):
            worker.get(f"/{number}")
        assert len(worker.other.lines) == 3

    def test_not_too_many_are_kept(self, worker: Worker) -> None:
        """When nothing goes over them."""
        for number in range(KEPT + 5):
            worker.get(f"/{number}")
        for line in worker.other.lines:
            line.say(OK)
        assert sum(line.is_aborted for line in worker.other.lines) == 5
        assert not worker.other.lines[0].is_aborted

    def test_one_that_died_idle_is_not_used(self, worker: Worker) -> None:
        """Nobody notices."""
        worker.get()
        worker.other.line.say(OK)
        worker.other.line.die()
        wire = worker.get()
        worker.other.line.say(OK)
        assert wire.body() == b"ok"
        assert len(worker.other.lines) == 2

    def test_one_that_speaks_unasked_is_ended(self, worker: Worker) -> None:
        """What it says is an answer to nobody."""
        worker.get()
        line = worker.other.line
        line.say(OK)
        line.say(head(b"200 OK", b"Content-Length: 4") + b"evil")
        assert line.is_aborted
        wire = worker.get()
        worker.other.line.say(OK)
        assert wire.body() == b"ok"

    def test_they_end_when_the_relay_does(self, worker: Worker) -> None:
        """Those over which nothing goes."""
        worker.get("/1")
        worker.get("/2")
        idle, busy = worker.other.lines
        idle.say(OK)
        worker.relay.close()
        assert (idle.is_aborted, busy.is_aborted) == (True, False)


class TestLeaving:
    """The client goes away."""

    @pytest.mark.parametrize("said", [b"", blob_head(), blob_head() + BLOB[:100]])
    def test_the_other_process_hears_of_it(self, worker: Worker, said: bytes) -> None:
        """Its connection ends, and nobody asks again."""
        send, _, channel = worker.connect()
        send(b"GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n")
        worker.other.line.say(said)
        worker.leave(channel)
        assert worker.other.line.is_aborted
        worker.later(1.0)
        assert len(worker.other.lines) == 1

    def test_while_the_other_process_is_away(self, worker: Worker) -> None:
        """Then nobody wants to know any more."""
        worker.other.is_away = True
        send, _, channel = worker.connect()
        send(b"GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n")
        worker.later(1.0)
        worker.leave(channel)
        tries = worker.other.tries
        worker.other.is_away = False
        worker.later(PATIENCE)
        assert worker.other.tries == tries

    def test_a_line_that_was_left_is_not_used_again(self, worker: Worker) -> None:
        """It may still bring what the other one wanted."""
        send, _, channel = worker.connect()
        send(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
        worker.leave(channel)
        wire = worker.get("/2")
        first, second = worker.other.lines
        first.say(head(b"200 OK", b"Content-Length: 5") + b"first")
        second.say(OK)
        assert wire.body() == b"ok"


class TestDying:
    """The other process dies, and another takes its place."""

    def test_before_its_answer(self, worker: Worker) -> None:
        """The new one is asked the same."""
        wire = worker.send(
            b"POST /token HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na=b", "192.0.2.9"
        )
        first = worker.other.line
        asked = first.asked()
        first.die()
        assert len(worker.other.lines) == 1
        worker.later()
        assert worker.other.line.asked() == asked
        worker.other.line.say(OK)
        assert wire.status() == 200
        assert wire.body() == b"ok"
        assert not wire.hung_up

    def test_amid_its_answers_head(self, worker: Worker) -> None:
        """The client has none of it."""
        wire = worker.get()
        worker.other.line.say(blob_head()[:-3])
        worker.other.line.die()
        assert wire.value() == b""
        worker.later()
        worker.other.line.say(OK)
        assert wire.body() == b"ok"

    def test_it_is_away_for_a_while(self, worker: Worker) -> None:
        """Who asks waits, and looks again and again."""
        worker.other.is_away = True
        wire = worker.get()
        worker.later(PATIENCE - 1)
        assert wire.value() == b""
        worker.other.is_away = False
        worker.later()
        worker.other.line.say(OK)
        assert wire.body() == b"ok"

    def test_it_is_away_for_too_long(self, worker: Worker) -> None:
        """503, and when to come again; the connection is kept, and the next one may have luck."""
        worker.other.is_away = True
        send, wire, _ = worker.connect()
        send(b"GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n")
        worker.later(PATIENCE + PAUSE)
        assert wire.status() == 503
        assert "retry-after: 1\r\n" in wire.head().lower() + "\r\n"
        assert json.loads(wire.body())["errors"][0]["code"] == "UNAVAILABLE"
        assert not wire.hung_up
        worker.other.is_away = False
        wire.clear()
        send(b"GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n")
        worker.other.line.say(OK)
        assert wire.body() == b"ok"

    def test_whatever_it_is_asked_it_dies_of(self, worker: Worker) -> None:
        """It is not asked for ever."""
        wire = worker.get()
        until = worker.clock.seconds() + 2 * PATIENCE
        while not wire.value() and worker.clock.seconds() < until:
            worker.other.line.die()
            worker.later()
        assert wire.status() == 503

    def test_amid_a_blob(self, worker: Worker) -> None:
        """The rest is asked of the new one, of the same blob: the client notices nothing."""
        wire = worker.get("/v2/a/blobs/x", "Accept: a/b")
        worker.other.line.say(blob_head() + BLOB[:100])
        worker.other.line.asked()
        worker.other.line.die()
        worker.later()
        fields = worker.other.line.fields()
        assert fields[b"range"] == [b"bytes=100-%d" % (len(BLOB) - 1)]
        assert fields[b"if-range"] == [ETAG]
        assert fields[b"accept"] == [b"a/b"]
        worker.other.line.say(rest_head(100, len(BLOB) - 1) + BLOB[100:])
        assert wire.value().count(b"HTTP/1.1") == 1
        assert wire.body() == BLOB
        assert not wire.hung_up
        again = worker.get()
        worker.other.line.say(OK)
        assert again.body() == b"ok"

    def test_just_after_a_blobs_head(self, worker: Worker) -> None:
        """All of it is missing yet."""
        wire = worker.get()
        worker.other.line.say(blob_head())
        worker.other.line.die()
        worker.later()
        assert worker.other.line.fields()[b"range"] == [b"bytes=0-%d" % (len(BLOB) - 1)]
        worker.other.line.say(rest_head(0, len(BLOB) - 1) + BLOB)
        assert wire.body() == BLOB

    def test_amid_a_part_of_a_blob(self, worker: Worker) -> None:
        """The rest of that part, whatever the client has said of it."""
        wire = worker.get("/v2/a/blobs/x", "Range: bytes=-824", 'If-Range: "other"')
        worker.other.line.say(rest_head(200, 1023) + BLOB[200:300])
        worker.other.line.asked()
        worker.other.line.die()
        worker.later()
        fields = worker.other.line.fields()
        assert fields[b"range"] == [b"bytes=300-1023"]
        assert fields[b"if-range"] == [ETAG]
        worker.other.line.say(rest_head(300, 1023) + BLOB[300:])
        assert wire.status() == 206
        assert wire.body() == BLOB[200:]

    def test_long_after_a_blob_was_begun(self, worker: Worker) -> None:
        """It may be away for as long as at any other time."""
        wire = worker.get()
        worker.other.line.say(blob_head() + BLOB[:100])
        worker.later(PATIENCE + 5)
        worker.other.is_away = True
        worker.other.line.die()
        worker.later(PATIENCE - 1)
        assert not wire.hung_up
        worker.other.is_away = False
        worker.later()
        worker.other.line.say(rest_head(100, len(BLOB) - 1) + BLOB[100:])
        assert wire.body() == BLOB

    def test_again_long_after_the_first_time(self, worker: Worker) -> None:
        """Each time that it is away is one by itself, where a blob has gone on in between."""
        wire = worker.get()
        worker.other.line.say(blob_head() + BLOB[:100])
        worker.other.line.die()
        worker.later()
        worker.other.line.say(rest_head(100, len(BLOB) - 1) + BLOB[100:200])
        worker.later(PATIENCE + 5)
        worker.other.line.die()
        worker.later()
        worker.other.line.say(rest_head(200, len(BLOB) - 1) + BLOB[200:])
        assert wire.body() == BLOB

    def test_long_after_it_was_asked(self, worker: Worker) -> None:
        """The upstream was slow, say: that is no time for which it was away."""
        wire = worker.get()
        worker.later(PATIENCE + 5)
        worker.other.line.die()
        worker.later()
        worker.other.line.say(OK)
        assert wire.body() == b"ok"

    def test_amid_a_blob_and_away_for_too_long(self, worker: Worker) -> None:
        """The client's connection breaks off: it can't take what it has for the whole."""
        wire = worker.get()
        worker.other.line.say(blob_head() + BLOB[:100])
        worker.other.is_away = True
        worker.other.line.die()
        worker.later(PATIENCE + 1)
        assert wire.is_closed
        assert wire.body() == BLOB[:100]

    @pytest.mark.parametrize(
        "answer",
        [
            rest_head(100, 1023, etag=b'"sha256:other"') + BLOB[100:],
            rest_head(99, 1023) + BLOB[99:],
            rest_head(101, 1023) + BLOB[101:],
            blob_head() + BLOB,
            blob_head(etag=b'"sha256:other"') + BLOB,
            head(b"206 Partial Content", b"Content-Length: 924", b"ETag: " + ETAG) + BLOB[100:],
            head(b"304 Not Modified", b"ETag: " + ETAG),
            head(b"404 Not Found", b"Content-Length: 4") + b"gone",
            head(b"416 Range Not Satisfiable", b"Content-Length: 0"),
            b"nonsense\r\n\r\n",
        ],
        ids=[
            *("etag", "before", "behind", "whole", "other-whole", "no-range", "304", "404", "416"),
            "nonsense",
        ],
    )
    @pytest.mark.parametrize("at_once", [1, 65536])
    def test_other_content_then(self, worker: Worker, answer: bytes, at_once: int) -> None:
        """Breaks off: nothing of it is sent, and nobody is asked again."""
        wire = worker.get()
        worker.other.line.say(blob_head() + BLOB[:100])
        worker.other.line.die()
        worker.later()
        worker.other.line.say(answer, at_once)
        worker.later(1.0)
        assert wire.is_closed
        assert wire.body() == BLOB[:100]
        assert worker.other.line.is_aborted
        assert len(worker.other.lines) == 2

    @pytest.mark.parametrize(
        "said",
        [
            head(b"200 OK", b"Content-Length: 9", b"ETag: " + ETAG) + b"four",
            head(b"200 OK", b"Content-Length: 9", b"Accept-Ranges: bytes") + b"four",
            head(b"200 OK", b"Content-Length: 9", b"ETag: W/" + ETAG, b"Accept-Ranges: bytes")
            + b"four",
            head(b"404 Not Found", b"Content-Length: 9", b"ETag: " + ETAG, b"Accept-Ranges: bytes")
            + b"four",
            head(b"200 OK", b"Transfer-Encoding: chunked", b"ETag: " + ETAG) + b"4\r\nfour\r\n",
            head(b"206 Partial Content", b"Content-Length: 9", b"ETag: " + ETAG) + b"four",
        ],
        ids=["no-ranges", "no-etag", "weak-etag", "404", "chunked", "no-content-range"],
    )
    def test_amid_what_is_no_blob(self, worker: Worker, said: bytes) -> None:
        """Breaks off at once: the new one's might be another."""
        wire = worker.get()
        worker.other.line.say(said)
        worker.other.line.die()
        worker.later(1.0)
        assert wire.is_closed
        assert not wire.body().endswith(b"0\r\n\r\n")
        assert len(worker.other.lines) == 1

    @pytest.mark.parametrize("said", [b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\n\x00: x\r\n\r\n"])
    def test_an_answer_that_is_none(self, worker: Worker, said: bytes) -> None:
        """503, and that connection is not used again."""
        wire = worker.get()
        worker.other.line.say(said)
        assert wire.status() == 503
        assert worker.other.line.is_aborted


@given(
    st.lists(st.integers(0, len(BLOB) - 1), max_size=5),
    st.integers(0, len(BLOB) - 1),
    st.integers(1, 200),
)
def test_a_blob_survives_any_deaths(deaths: list[int], first: int, at_once: int) -> None:
    """Wherever they come, and of whatever part of it: each byte once, in its order."""
    worker = Worker()
    wanted = BLOB[first:]
    wire = worker.get("/v2/a/blobs/x", f"Range: bytes={first}-")
    for death in deaths:
        serve(worker.other.line, at_once, death)
        if wire.body() == wanted:
            return
        worker.other.line.die()
        worker.later()
    serve(worker.other.line, at_once, len(BLOB))
    assert wire.value().count(b"HTTP/1.1 ") == 1
    assert wire.body() == wanted


def serve(line: Line, at_once: int, count: int) -> None:
    """As the other process would, for so many bytes of the body."""
    first, _, last = line.fields()[b"range"][0].removeprefix(b"bytes=").partition(b"-")
    start, stop = int(first), int(last or len(BLOB) - 1)
    line.say(rest_head(start, stop) + BLOB[start : stop + 1][:count], at_once)


class TestReports:
    """What a worker tells by itself."""

    def test_is_posted(self, worker: Worker) -> None:
        """From nobody: no caller is told."""
        told = outcome_of(worker, b"{}")
        asked = worker.other.line.asked()
        assert asked.startswith(b"POST /report HTTP/1.1\r\n")
        assert b"caller" not in asked.lower()
        assert asked.endswith(b"Content-Length: 2\r\n\r\n{}")
        assert told == []
        worker.other.line.say(head(b"204 No Content"))
        assert told == [None]
        worker.get()
        assert len(worker.other.lines) == 1

    def test_was_not_heard(self, worker: Worker) -> None:
        """Another answer is an error."""
        told = outcome_of(worker, b"{}")
        worker.other.line.say(head(b"500 Oh", b"Content-Length: 2") + b"no")
        assert told == [RegistryError]

    def test_is_not_told_twice(self, worker: Worker) -> None:
        """Where the other process dies over it nobody knows how much of it has counted."""
        told = outcome_of(worker, b"{}")
        worker.other.line.die()
        worker.later(1.0)
        assert len(worker.other.lines) == 1
        assert told == [RegistryError]

    def test_nobody_is_there(self, worker: Worker) -> None:
        """The next report comes soon."""
        worker.other.is_away = True
        assert outcome_of(worker, b"{}") == [RegistryError]


def outcome_of(worker: Worker, data: bytes) -> list[object]:
    """A report's end, when it is there: None, or that it failed."""
    told: list[object] = []
    Deferred.fromCoroutine(worker.relay.report(data)).addCallbacks(
        told.append, lambda failure: told.append(failure.check(RegistryError))
    )
    return told


def dechunked(body: bytes) -> bytes:
    """What is in the chunks that are there (RFC 9112, section 7.1)."""
    data = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        data += body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]
    return data
