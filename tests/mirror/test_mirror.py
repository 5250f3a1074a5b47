"""The policy's order: every way in is counted first."""

from __future__ import annotations

from typing import Any

import pytest
from treq.testing import RequestTraversalAgent
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from hubmirror.errors import NameInvalid, TooManyRequests
from hubmirror.mirror.mirror import Mirror
from hubmirror.question import Answer, Client, Ping, Preflight, Question, Refusal
from hubmirror.quota.daily import DailyQuota
from hubmirror.quota.ledger import MemoryLedger
from hubmirror.tokens.proxy import TokenProxy
from hubmirror.upstream.client import TimeLimits, UpstreamClient, http_client
from hubmirror.upstream.pacing import Pacing
from hubmirror.upstream.registry import RemoteRegistry
from tests.registry.edge import Upstream

CLIENT = Client("192.0.2.1", "http://mirror.example")


class World:
    """A mirror with ``limit`` requests a day before an upstream in memory."""

    def __init__(self, limit: int) -> None:
        clock = Clock()
        self.upstream = Upstream()
        agent = RequestTraversalAgent(self.upstream)
        client = UpstreamClient(http_client(agent), clock, TimeLimits(30, 30), Pacing(clock), 0)
        registry = RemoteRegistry(client, "https://registry.example")
        self.quota = DailyQuota(limit, MemoryLedger(), lambda: 0.0)
        tokens = TokenProxy(client, registry, library_prefix=True)
        self.mirror = Mirror(self.quota, registry, tokens)

    def ask(self, subject: Any, method: str = "GET") -> Answer:
        """The answer, which must be there at once."""
        question = Question(method, subject, CLIENT)
        results: list[Any] = []
        Deferred.fromCoroutine(self.mirror.answer(question)).addBoth(results.append)
        (result,) = results
        if not isinstance(result, Answer):
            result.raiseException()
        assert isinstance(result, Answer)
        return result


def test_a_refusal_counts_and_then_fails() -> None:
    """What the edge could not accept is counted as the others are."""
    world = World(10)
    with pytest.raises(NameInvalid):
        world.ask(Refusal(NameInvalid()))
    assert world.quota.status().used == 1
    assert world.upstream.requests == []


def test_a_preflight_counts_and_stays_here() -> None:
    """A Worker's plan counts it, too."""
    world = World(10)
    assert world.ask(Preflight(), "OPTIONS").status == 204
    assert world.quota.status().used == 1
    assert world.upstream.requests == []


def test_a_spent_day_refuses_before_all_else() -> None:
    """Nothing goes upstream once the count is at its limit."""
    world = World(1)
    assert world.ask(Ping()).status == 200
    for subject in (Ping(), Preflight(), Refusal(NameInvalid())):
        with pytest.raises(TooManyRequests):
            world.ask(subject)
    assert len(world.upstream.requests) == 1
