"""Where bytes go that nobody wants."""

from __future__ import annotations

from hubmirror.mirror.sinks import Meter, Sink

MIB = 1 << 20


def test_told_by_the_mebibyte() -> None:
    """Less than that since the last time is not worth telling."""
    meter = Meter()
    meter.add(MIB)
    assert meter.moved().called

    waiting = meter.moved()
    meter.add(MIB - 1)
    assert not waiting.called
    meter.add(1)
    assert waiting.called
    assert meter.count == 2 * MIB


def test_the_end_is_told() -> None:
    """However few bytes have come."""
    meter = Meter()
    waiting = meter.moved()

    meter.end()

    assert waiting.called
    assert meter.is_over
    assert meter.moved().called


def test_a_sink_takes_all() -> None:
    """And hands it on."""
    taken = bytearray()
    sink = Sink(taken.extend)

    sink.write(b"one")
    sink.write(b"two")

    assert taken == b"onetwo"
