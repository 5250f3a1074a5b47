"""An outage is noticed once, not waited for again, and its end is found."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timezone

import pytest
from attrs import define, field
from twisted.internet import error as network
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from hubmirror.errors import UpstreamFailure, UpstreamRefused, UpstreamTimeout
from hubmirror.upstream.breaker import Breaker, BreakerStatus, BrokenAnswer, UpstreamDown
from hubmirror.upstream.client import Reply, TimeLimits, UpstreamClient
from hubmirror.upstream.pacing import Pacing, UpstreamPaused
from hubmirror.upstream.url import Origin
from tests.upstream.remote import error_of, result_of
from tests.upstream.wire import Wire

_URL = "https://hub.example/v2/a/blobs/sha256:0"
_HUB = Origin("https", "hub.example", 443)


@define
class _Hub:
    """A breaker before one host, at the time 1000."""

    clock: Clock = field(factory=Clock)
    breaker: Breaker = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.clock.advance(1000)
        self.breaker = Breaker(self.clock, first=2, longest=60)

    def fail(self, error: BaseException | None = None) -> None:
        """A request that is let through and ends with ``error``, a time-out without one."""
        error = error or UpstreamTimeout("hub.example did not answer")
        with pytest.raises(type(error)), self.breaker.watch(_URL):
            raise error

    def answer(self, status: int = 200) -> None:
        """A request that is let through and answered."""
        with self.breaker.watch(_URL) as watch:
            watch.answered(status)

    def refusal(self) -> UpstreamDown:
        """The error of a request that is not let through."""
        with pytest.raises(UpstreamDown) as raised:
            self.breaker.watch(_URL)
        return raised.value


@pytest.fixture
def hub() -> _Hub:
    return _Hub()


def test_a_probe_is_due_when_the_pause_is_over(hub: _Hub) -> None:
    """For that origin, and until somebody probes; never for one that is well."""
    assert not hub.breaker.is_probe_due(_URL)
    hub.fail()
    assert not hub.breaker.is_probe_due(_URL)
    hub.clock.advance(2)
    assert hub.breaker.is_probe_due(_URL)
    assert not hub.breaker.is_probe_due("https://auth.example/token")
    with hub.breaker.watch(_URL):
        assert not hub.breaker.is_probe_due(_URL)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UpstreamTimeout("hub.example did not answer"), 504),
        (UpstreamFailure("hub.example refused the connection"), 502),
    ],
)
def test_the_first_failure_opens(hub: _Hub, error: UpstreamFailure, status: int) -> None:
    """Who comes next is told at once: the host, since when, why, and when to come again."""
    hub.fail(error)
    refusal = hub.refusal()
    assert refusal.status == status
    assert refusal.code == "UNAVAILABLE"
    assert refusal.headers == {"Retry-After": "2"}
    since = datetime.fromtimestamp(1000, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
    assert refusal.message.startswith(f"hub.example is down since {since} UTC ({error.message})")
    assert hub.breaker.is_open(_URL)


def test_it_is_shown(hub: _Hub) -> None:
    """What is down is listed with its times, and no more once it is up."""
    hub.fail()
    assert hub.breaker.status() == (BreakerStatus(_HUB, 1000.0, 1002.0),)
    hub.clock.advance(2)
    hub.answer()
    assert hub.breaker.status() == ()


def test_one_probe_at_a_time(hub: _Hub) -> None:
    """After the pause one request is let through; until it ends the others are not."""
    hub.fail()
    hub.clock.advance(1.9)
    hub.refusal()
    hub.clock.advance(0.1)
    assert not hub.breaker.is_open(_URL)
    with hub.breaker.watch(_URL) as probe:
        assert hub.breaker.is_open(_URL)
        assert hub.refusal().headers == {"Retry-After": "1"}
        probe.answered(200)
    assert not hub.breaker.is_open(_URL)
    hub.answer()


def test_pauses_double(hub: _Hub) -> None:
    """Each failed probe doubles the pause, up to the longest; the start is remembered."""
    hub.fail()
    pauses = []
    for _ in range(7):
        [status] = hub.breaker.status()
        assert status.open_since == 1000
        pauses.append(status.next_probe - hub.clock.seconds())
        hub.clock.advance(pauses[-1])
        hub.fail()
    assert pauses == [2, 4, 8, 16, 32, 60, 60]


def test_after_an_end_the_pauses_begin_anew(hub: _Hub) -> None:
    """The next outage is not judged by the last one."""
    hub.fail()
    hub.clock.advance(2)
    hub.fail()
    hub.clock.advance(4)
    hub.answer()
    hub.fail()
    assert hub.refusal().headers == {"Retry-After": "2"}


@pytest.mark.parametrize("status", [200, 307, 401, 404, 429, 501])
def test_any_answer_closes(hub: _Hub, status: int) -> None:
    """Whatever a host says that can speak, it is there."""
    hub.fail()
    hub.clock.advance(2)
    hub.answer(status)
    hub.answer()


def test_an_older_request_closes(hub: _Hub) -> None:
    """A request from before the outage that is answered after all ends it."""
    with hub.breaker.watch(_URL) as slow:
        hub.fail()
        slow.answered(200)
    hub.answer()


def test_an_older_request_prolongs_nothing(hub: _Hub) -> None:
    """Those that were under way when it opened tell nothing new by failing, too."""
    with suppress(UpstreamTimeout), hub.breaker.watch(_URL):
        hub.fail()
        hub.clock.advance(1)
        raise UpstreamTimeout("hub.example did not answer")
    assert hub.breaker.status() == (BreakerStatus(_HUB, 1000.0, 1002.0),)


@pytest.mark.parametrize(
    "error",
    [
        CancelledError(),
        UpstreamRefused("hub.example is at a private address"),
        UpstreamPaused("hub.example asked for a pause"),
        GeneratorExit(),
    ],
)
def test_what_tells_nothing(hub: _Hub, error: BaseException) -> None:
    """A request that was given up, or that the mirror itself refused, neither opens nor closes,

    and as a probe it makes way for another.
    """
    hub.fail(error)
    hub.answer()
    hub.fail()
    hub.clock.advance(2)
    hub.fail(error)
    assert hub.breaker.status() == (BreakerStatus(_HUB, 1000.0, 1002.0),)
    hub.answer()
    assert hub.breaker.status() == ()


def test_a_probe_of_an_outage_that_is_over(hub: _Hub) -> None:
    """It touches neither the turn nor the pause of a later outage's probe."""
    with hub.breaker.watch(_URL) as slow:
        hub.fail()
        hub.clock.advance(2)
        with suppress(UpstreamTimeout), hub.breaker.watch(_URL):
            slow.answered(200)
            hub.fail()
            hub.clock.advance(2)
            with hub.breaker.watch(_URL):
                hub.refusal()
            raise UpstreamTimeout("late")
    assert hub.breaker.status() == (BreakerStatus(_HUB, 1002.0, 1004.0),)


def test_three_bad_answers_in_a_row(hub: _Hub) -> None:
    """Three 5xx open it, whichever they are, and a probe's 5xx leaves it open."""
    hub.answer(500)
    hub.answer(503)
    assert not hub.breaker.is_open(_URL)
    hub.answer(502)
    refusal = hub.refusal()
    assert refusal.status == 502
    assert "hub.example answered 502" in refusal.message
    hub.clock.advance(2)
    hub.answer(503)
    assert hub.refusal().headers == {"Retry-After": "4"}
    hub.clock.advance(4)
    hub.answer()
    hub.answer(503)
    assert not hub.breaker.is_open(_URL)


def test_a_bad_answer_to_a_probe(hub: _Hub) -> None:
    """A host that could not be reached and now answers 503 is not up yet."""
    hub.fail()
    hub.clock.advance(2)
    hub.answer(503)
    assert hub.refusal().headers == {"Retry-After": "4"}


def test_bad_answers_with_another_between(hub: _Hub) -> None:
    """One repository that fails does not take the others down."""
    for _ in range(3):
        hub.answer(500)
        hub.answer(500)
        hub.answer(404)
    hub.answer()


def test_a_broken_answer_is_a_bad_one(hub: _Hub) -> None:
    """A host that breaks off amid an answer is there: it takes three of them."""
    broken = BrokenAnswer("hub.example broke the connection off")
    hub.fail(broken)
    hub.fail(broken)
    hub.fail(broken)
    assert hub.refusal().status == 502


def test_other_origins(hub: _Hub) -> None:
    """Another scheme, host or port is another upstream."""
    hub.fail()
    for url in ("http://hub.example/", "https://hub.example:5000/", "https://auth.example/"):
        assert not hub.breaker.is_open(url)
        with hub.breaker.watch(url) as watch:
            watch.answered(200)
    hub.refusal()


def test_what_nobody_asks_for_is_forgotten(hub: _Hub) -> None:
    """The hosts that a hostile upstream once pointed to do not pile up."""
    hub.fail()
    hub.clock.advance(4000)
    with pytest.raises(UpstreamTimeout), hub.breaker.watch("https://other.example/"):
        raise UpstreamTimeout("other.example did not answer")
    assert [status.origin.host for status in hub.breaker.status()] == ["other.example"]


def test_nothing_secret_is_shown(hub: _Hub) -> None:
    """Neither the error nor the status holds anything of a signed URL."""
    url = "https://hub.example/x?sig=secret"
    with pytest.raises(UpstreamTimeout), hub.breaker.watch(url):
        raise UpstreamTimeout("hub.example did not answer")
    assert "secret" not in repr((hub.breaker.status(), hub.refusal()))


@define
class _Client:
    """An upstream client on a wire, its breaker in view."""

    clock: Clock = field(factory=Clock)
    wire: Wire = field(init=False)
    breaker: Breaker = field(init=False)
    client: UpstreamClient = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.wire = Wire(self.clock)
        self.breaker = Breaker(self.clock)
        limits = TimeLimits(response=30, stall=10)
        self.client = UpstreamClient(
            self.wire.http,
            self.clock,
            limits,
            Pacing(self.clock),
            random=lambda: 0.5,
            breaker=self.breaker,
        )

    def request(self, method: str = "GET") -> Deferred[Reply]:
        return Deferred.fromCoroutine(self.client.request(method, _URL))


def test_a_black_hole_is_waited_for_once() -> None:
    """After the first time-out requests fail at once, without a connection; then one probes."""
    upstream = _Client()
    first = upstream.request()
    upstream.clock.advance(30)
    error_of(first, UpstreamTimeout)
    assert error_of(upstream.request(), UpstreamDown).status == 504
    assert len(upstream.wire.connections) == 1
    upstream.clock.advance(2)
    probe = upstream.request()
    error_of(upstream.request(), UpstreamDown)
    upstream.wire.connections[1].receive(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert result_of(_awaited(probe)).status == 200
    assert not upstream.breaker.is_open(_URL)


@pytest.mark.parametrize("error", [network.ConnectionRefusedError(), network.DNSLookupError()])
def test_what_cannot_be_reached(error: Exception) -> None:
    """A failure to connect opens it once all tries are spent."""
    upstream = _Client()
    upstream.wire.refusals = [error] * 3
    asked = upstream.request()
    assert not upstream.breaker.is_open(_URL)
    upstream.clock.pump([0.55] * 2)
    error_of(asked, UpstreamFailure)
    assert upstream.breaker.is_open(_URL)


def test_a_cut_amid_the_headers() -> None:
    """An answer that breaks off once does not stop the other requests."""
    upstream = _Client()
    asked = upstream.request()
    upstream.wire.connections[0].receive(b"HTTP/1.1 200 OK\r\nCont")
    upstream.wire.connections[0].lose(network.ConnectionLost())
    error_of(asked, BrokenAnswer)
    assert not upstream.breaker.is_open(_URL)


def test_a_cancelled_probe() -> None:
    """A client that goes away while its request probes does not leave the outage without one."""
    upstream = _Client()
    first = upstream.request()
    upstream.clock.advance(30)
    error_of(first, UpstreamTimeout)
    upstream.clock.advance(2)
    probe = upstream.request()
    probe.cancel()
    error_of(probe, CancelledError)
    assert not upstream.breaker.is_open(_URL)


async def _awaited(reply: Deferred[Reply]) -> Reply:
    return await reply
