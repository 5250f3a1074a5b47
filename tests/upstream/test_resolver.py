"""Tests of hubmirror.upstream.resolver."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from threading import Event
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import Clock

from hubmirror.errors import UpstreamRefused
from hubmirror.upstream.failures import LookupFailed, LookupTimeout
from hubmirror.upstream.guard import AddressGuard
from hubmirror.upstream.resolver import MAX_LOOKUPS, GuardedResolver


def info(address: str) -> tuple[Any, ...]:
    """One entry of what ``getaddrinfo`` returns."""
    return (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0))


class ThreadedClock(Clock):
    """A clock that stands still, on a reactor whose threads run."""

    def __init__(self, reactor: Any) -> None:
        super().__init__()
        self.callFromThread: Callable[..., None] = reactor.callFromThread


class NameServer:
    """A ``getaddrinfo`` that answers from a table, and hangs on names that begin so."""

    def __init__(self, table: dict[str, Any]) -> None:
        self.table = table
        self.asked: list[str] = []
        self.answer = Event()

    def __call__(self, host: str, *_: object) -> Any:
        self.asked.append(host)
        if host.startswith("hangs"):
            self.answer.wait(30)
        found = self.table.get(host, socket.gaierror(socket.EAI_NONAME, "unknown"))
        if isinstance(found, Exception):
            raise found
        return [info(address) for address in found]


@pytest.fixture
def clock(reactor: Any) -> ThreadedClock:
    return ThreadedClock(reactor)


@pytest.fixture
def names() -> Iterator[NameServer]:
    server = NameServer({"two.example": ["8.8.8.8", "8.8.8.8", "10.0.0.1"], "hangs": ["9.9.9.9"]})
    yield server
    server.answer.set()


@pytest.fixture
def resolver(clock: ThreadedClock, names: NameServer) -> GuardedResolver:
    return GuardedResolver(clock, AddressGuard(), timeout=5, getaddrinfo=names)


@pytest_twisted.ensureDeferred
async def test_looks_up(resolver: GuardedResolver) -> None:
    """All addresses of a name, each once, in their order."""
    assert await resolver.lookup("two.example") == ("8.8.8.8", "10.0.0.1")


@pytest_twisted.ensureDeferred
async def test_guards(resolver: GuardedResolver) -> None:
    """Only what the guard permits comes out."""
    assert await resolver.permitted("two.example") == ("8.8.8.8",)


@pytest_twisted.ensureDeferred
async def test_refusal_keeps_its_sentence(names: NameServer, resolver: GuardedResolver) -> None:
    """A name with private addresses only fails with the guard's own error."""
    names.table["evil.example"] = ["169.254.169.254"]
    with pytest.raises(UpstreamRefused, match=r"evil\.example \(169\.254\.169\.254\)"):
        await resolver.permitted("evil.example")


@pytest_twisted.ensureDeferred
async def test_literals_need_no_thread(names: NameServer, resolver: GuardedResolver) -> None:
    """An address is its own answer, and is judged like any other."""
    assert await resolver.lookup("::1") == ("::1",)
    with pytest.raises(UpstreamRefused):
        await resolver.permitted("127.0.0.1")
    assert names.asked == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(socket.EAI_NONAME, ""), "was not found"),
        (socket.gaierror(socket.EAI_AGAIN, ""), "no usable name server"),
        (UnicodeError("label too long"), "was not found"),
        ((), "was not found"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_unknown_names(
    names: NameServer, resolver: GuardedResolver, error: Any, words: str
) -> None:
    """A name that is unknown and a name server that is out of order are told apart."""
    names.table["gone.example"] = error
    with pytest.raises(LookupFailed, match=words) as failed:
        await resolver.lookup("gone.example")
    assert "gone.example" in str(failed.value)


def test_waits_so_long(clock: ThreadedClock, resolver: GuardedResolver) -> None:
    """A name server that hangs costs the one who waits the time limit, not more."""
    failures: list[Any] = []
    resolver.lookup("hangs").addErrback(failures.append)
    clock.advance(4.9)
    assert failures == []
    clock.advance(0.2)
    assert failures[0].check(LookupTimeout)


@pytest_twisted.ensureDeferred
async def test_others_do_not_wait(names: NameServer, resolver: GuardedResolver) -> None:
    """While one name hangs, another is found."""
    hanging = resolver.lookup("hangs")
    assert await resolver.lookup("two.example")
    assert not hanging.called
    names.answer.set()
    assert await hanging == ("9.9.9.9",)


@pytest_twisted.ensureDeferred
async def test_shares_a_lookup(names: NameServer, resolver: GuardedResolver) -> None:
    """Those who want one name at one time share a thread; one who leaves takes nobody along."""
    waiting = [resolver.lookup("hangs") for _ in range(3)]
    waiting[0].addErrback(lambda _: None)
    waiting[0].cancel()
    names.answer.set()
    assert await gatherResults(waiting[1:]) == [("9.9.9.9",), ("9.9.9.9",)]
    assert names.asked == ["hangs"]
    await resolver.lookup("hangs")
    assert names.asked == ["hangs", "hangs"]


@pytest_twisted.ensureDeferred
async def test_a_thread_that_comes_late(
    clock: ThreadedClock, names: NameServer, resolver: GuardedResolver
) -> None:
    """An answer after the time limit goes to those who came later, and disturbs nobody."""
    failures: list[Any] = []
    resolver.lookup("hangs").addErrback(failures.append)
    clock.advance(6)
    later = resolver.lookup("hangs")
    names.answer.set()
    assert await later == ("9.9.9.9",)
    assert len(failures) == 1
    assert names.asked == ["hangs"]


@pytest_twisted.ensureDeferred
async def test_threads_are_bounded(names: NameServer, resolver: GuardedResolver) -> None:
    """However many names hang, there are so many threads and no more."""
    hanging: list[Deferred[Any]] = [
        resolver.lookup(f"hangs{number}").addErrback(lambda _: None)
        for number in range(MAX_LOOKUPS)
    ]
    with pytest.raises(LookupTimeout):
        await resolver.lookup("two.example")
    assert "two.example" not in names.asked
    names.answer.set()
    await gatherResults(hanging)
    assert await resolver.lookup("two.example")
