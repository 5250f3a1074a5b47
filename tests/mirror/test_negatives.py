"""404s that are remembered."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from hubmirror.mirror import negatives
from hubmirror.mirror.negatives import Negatives
from hubmirror.naming import Repository, Tag
from hubmirror.question import Answer, Client, ManifestRequest, Question
from tests.transport.test_bodies import Stream


def question(tag: str = "x") -> Question:
    request = ManifestRequest(Repository("docker.io", "a/b"), Tag(tag))
    return Question("GET", request, Client("192.0.2.1", "http://mirror.example"))


def keep(kept: Negatives, asked: Question, answer: Answer) -> Answer:
    results: list[Any] = []
    Deferred.fromCoroutine(kept.keep(asked, answer)).addBoth(results.append)
    (result,) = results
    assert isinstance(result, Answer)
    return result


def test_only_404s_are_kept() -> None:
    """Anything else may be another in a moment."""
    kept = Negatives(30, lambda: 0.0)
    for status in (200, 401, 429, 500):
        keep(kept, question(), Answer(status, (), Stream()))
        assert kept.find(question()) is None
    assert keep(kept, question(), Answer(404, (), Stream())).body == b"abc"
    found = kept.find(question())
    assert found is not None
    assert (found.status, found.body) == (404, b"abc")


def test_they_are_bounded(monkeypatch: Any) -> None:
    """A client that asks for ever new names fills no memory."""
    monkeypatch.setattr(negatives, "MOST", 3)
    kept = Negatives(30, lambda: 0.0)
    for number in range(5):
        keep(kept, question(f"t{number}"), Answer(404, (), Stream()))
    found = [kept.find(question(f"t{number}")) is not None for number in range(5)]
    assert found == [False, False, True, True, True]


def test_a_clock_that_was_set_back_ends_them() -> None:
    """Nothing is remembered for longer than its time."""
    now = [1000.0]
    kept = Negatives(30, lambda: now[0])
    keep(kept, question(), Answer(404, (), Stream()))
    now[0] = 500.0
    assert kept.find(question()) is None
