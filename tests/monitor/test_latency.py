"""The histogram of how long requests take."""

from __future__ import annotations

from array import array

from hubmirror.monitor.latency import BOUNDS, WORDS, Latency
from hubmirror.quota.kinds import Kind


def values(latency: Latency, kind: Kind) -> dict[str, float]:
    """The samples of one kind, by what follows the name, or by the bucket's bound."""
    name = "hubmirror_request_duration_seconds_"
    return {
        sample.labels.get("le") or sample.name.removeprefix(name): sample.value
        for sample in latency.family().samples
        if sample.labels["kind"] == kind.label
    }


def test_buckets_are_cumulative() -> None:
    """A bound belongs to its bucket (``le``), and ``+Inf`` has all."""
    latency = Latency()
    for seconds in (0.0, 0.001, 0.0011, 0.3, 4000.0):
        latency.observe(Kind.BLOB, seconds)

    told = values(latency, Kind.BLOB)

    assert [told[bound] for bound in ("0.001", "0.0025", "0.25", "0.5", "300.0", "+Inf")] == [
        *(2, 3, 3, 4, 4, 5)
    ]
    assert told["count"] == 5
    assert told["sum"] == sum((0.001, 0.0011, 0.3, 4000.0))


def test_every_kind_is_there() -> None:
    """From the start, each by itself."""
    latency = Latency()
    latency.observe(Kind.TOKEN, 1.0)
    assert [values(latency, kind)["count"] for kind in Kind] == [1, *[0] * (len(Kind) - 1)]


def test_a_time_below_nothing_is_counted() -> None:
    """A clock that was set back in the midst of a request."""
    latency = Latency()
    latency.observe(Kind.PING, -5.0)
    assert values(latency, Kind.PING)[str(BOUNDS[0])] == 1


def test_words_of_others_are_told_with_its_own() -> None:
    """They are counted by other processes; this one does not write to them."""
    shared = [memoryview(array("Q", [0] * (WORDS + 5))) for _ in range(2)]
    ours = Latency(others=shared)
    theirs = [Latency(words[:WORDS]) for words in shared]
    ours.observe(Kind.BLOB, 0.3)
    theirs[0].observe(Kind.BLOB, 0.3)
    theirs[0].observe(Kind.TOKEN, 0.0)
    theirs[1].observe(Kind.BLOB, 4000.0)

    told = values(ours, Kind.BLOB)
    assert [told[bound] for bound in ("0.25", "0.5", "300.0", "+Inf")] == [0, 2, 2, 3]
    assert (told["count"], told["sum"]) == (3, 4000.6)
    assert values(ours, Kind.TOKEN)["count"] == 1
    assert values(theirs[0], Kind.BLOB)["count"] == 1
    assert values(theirs[1], Kind.BLOB)["count"] == 1


def test_all_of_it_fits_in_its_words() -> None:
    """The slowest of the last kind is in the last but one, the time in the last."""
    words = [0] * WORDS
    latency = Latency(words)
    latency.observe(max(Kind), 1000.0)
    assert words[-2:] == [1, 1_000_000_000]
    assert sum(words) == 1_000_000_001
