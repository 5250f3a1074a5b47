"""The quota that is left out, for comparison."""

from __future__ import annotations

from bench.uncounted import QUOTAS, Uncounted
from hubmirror.naming import Repository, Tag
from hubmirror.question import Client, ManifestRequest, Outcome, Question
from hubmirror.quota.accounts import Dimension
from hubmirror.quota.books import MemoryBooks
from hubmirror.quota.history import MemoryHistory
from hubmirror.quota.ledger import MemoryLedger
from hubmirror.quota.quota import Quota
from hubmirror.quota.rules import Rules

QUESTION = Question(
    "GET",
    ManifestRequest(Repository("docker.io", "library/busybox"), Tag("latest")),
    Client("192.0.2.1", "http://mirror.example"),
)


def quota() -> Quota:
    """One that lets a single request through a day."""
    stores = (MemoryLedger(), MemoryHistory(), MemoryBooks())
    return Quota(Rules(per_day=1, on_exhausted="refuse"), *stores, lambda: 0.0)


def ask(quota: Quota) -> bool:
    """All that a request does to it; whether it was let through."""
    charge = quota.admit(QUESTION)
    charge.settle(Outcome.HIT)
    charge.moved(300, 600)
    quota.pulled(charge.spender, QUESTION)
    return charge.refusal is None


def counted(quota: Quota) -> tuple[int, int, int]:
    """What it has counted: of the day, of all that was told to it, and of clients."""
    return (
        quota.day().used,
        sum(quota.tally.since_start().row),
        len(quota.top(Dimension.ADDRESS, 9)),
    )


def test_it_lets_all_through_and_counts_nothing() -> None:
    """What the quota in its place would have refused, and had counted."""
    uncounted = QUOTAS["uncounted"](quota())
    assert isinstance(uncounted, Uncounted)
    assert [ask(uncounted) for _ in range(3)] == [True] * 3
    assert counted(uncounted) == (0, 0, 0)


def test_the_other_is_the_daemons_own() -> None:
    """It counts and refuses as ever."""
    own = quota()
    assert QUOTAS["counted"](own) is own
    assert [ask(own) for _ in range(3)] == [True, False, False]
    used, told, clients = counted(own)
    assert (used, clients) == (1, 1)
    assert told > 3
