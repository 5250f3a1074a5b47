"""An upstream's wish for a pause is kept, per origin, for a bounded time."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from hubmirror.question import Headers
from hubmirror.upstream.pacing import Pacing, UpstreamPaused
from tests.upstream.remote import error_of, result_of

_URL = "https://hub.example/v2/a/blobs/sha256:0"


def _paused(clock: Clock, headers: Headers, status: int = 429) -> Pacing:
    pacing = Pacing(clock)
    pacing.learn(_URL, status, headers)
    return pacing


def _retry_after(pacing: Pacing) -> int:
    """The ``Retry-After`` of the refusal that ``pacing`` gives now."""
    with pytest.raises(UpstreamPaused) as raised:
        result_of(pacing.admit(_URL))
    assert raised.value.status == 429
    assert raised.value.code == "TOOMANYREQUESTS"
    assert "hub.example" in raised.value.message
    return int(raised.value.headers["Retry-After"])


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("60", 60),
        (" 7 ", 7),
        ("100000", 300),
        ("9" * 400, 300),
        (formatdate(1030, usegmt=True), 30),
        (formatdate(1e9, usegmt=True), 300),
        ("soon", 5),
        ("-1", 5),
        ("\u0663", 5),
        ("Mon, 99 Nov 9999 99:99:99 GMT", 5),
    ],
)
def test_how_long(value: str, seconds: int) -> None:
    """Seconds and dates are understood, and neither oddities nor ages stop the mirror for long."""
    clock = Clock()
    clock.advance(1000)
    assert _retry_after(_paused(clock, (("Retry-After", value),))) == seconds


def test_without_a_time() -> None:
    """A 429 that names no time begins a short pause, and the pause ends."""
    clock = Clock()
    pacing = _paused(clock, ())
    assert _retry_after(pacing) == 5
    clock.advance(2)
    assert _retry_after(pacing) == 3
    clock.advance(3)
    result_of(pacing.admit(_URL))


def test_a_short_rest_is_waited_for() -> None:
    """The last two seconds of a pause are sat out, not answered with an error."""
    clock = Clock()
    waiting = Deferred.fromCoroutine(_paused(clock, (("Retry-After", "2"),)).admit(_URL))
    assert not waiting.called
    clock.advance(2)
    assert waiting.called


def test_a_longer_pause_while_waiting() -> None:
    """One who waits is refused when the pause grows meanwhile."""
    clock = Clock()
    pacing = _paused(clock, (("Retry-After", "1"),))
    waiting = Deferred.fromCoroutine(pacing.admit(_URL))
    pacing.learn(_URL, 429, (("Retry-After", "60"),))
    clock.advance(1)
    assert error_of(waiting, UpstreamPaused).headers == {"Retry-After": "59"}


def test_a_later_answer_does_not_shorten() -> None:
    """Answers cross: one that asks for less does not end the longer pause."""
    pacing = _paused(Clock(), (("Retry-After", "60"),))
    pacing.learn(_URL, 429, (("Retry-After", "3"),))
    assert _retry_after(pacing) == 60


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (429, (("RateLimit-Limit", "100;w=21600"), ("Retry-After", "60"))),
        (429, (("ratelimit-remaining", "0;w=21600"), ("Retry-After", "60"))),
        (429, (("Docker-RateLimit-Source", "192.0.2.1"), ("Retry-After", "60"))),
        (503, (("Retry-After", "60"),)),
        (200, (("Retry-After", "60"),)),
    ],
)
def test_what_is_no_pause(status: int, headers: Headers) -> None:
    """The pull limit concerns some manifests only, and another status is no limit at all."""
    result_of(_paused(Clock(), headers, status).admit(_URL))


def test_other_origins() -> None:
    """A pause is for one origin: the token server and the blob hosts go on."""
    pacing = _paused(Clock(), (("Retry-After", "60"),))
    result_of(pacing.admit("https://auth.example/token"))
    result_of(pacing.admit("http://hub.example/v2/"))
    assert _retry_after(pacing) == 60
