"""The realm of an upstream: read from its challenge, checked, and asked for once."""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred

from hubmirror.errors import UpstreamFailure, UpstreamRefused
from hubmirror.upstream.body import EmptyBody
from hubmirror.upstream.client import Reply
from hubmirror.upstream.realm import Realm, RealmMemory, realm_of
from tests.upstream.remote import error_of

_REALM = Realm("https://auth.example/token", "registry.example")


def _challenged(*values: str, url: str = "https://hub.example/v2/") -> Reply:
    headers = tuple(("WWW-Authenticate", value) for value in values)
    return Reply(401, headers, EmptyBody(), 0.0, url)


def test_the_first_bearer() -> None:
    """The first Bearer challenge counts, in whichever field and case it stands."""
    reply = _challenged(
        'Basic realm="x"',
        'bearer Realm="https://auth.example/token",service="registry.example",scope="a:b,c"',
        'Bearer realm="https://other.example/token"',
    )
    assert realm_of(reply) == _REALM


def test_without_a_service() -> None:
    """A realm may do without a service, and keeps its query."""
    assert realm_of(_challenged('Bearer realm="https://a.example/t?x=1"')) == Realm(
        "https://a.example/t?x=1", None
    )


@pytest.mark.parametrize("values", [(), ('Basic realm="x"',), ('Bearer realm="',)])
def test_without_a_bearer(values: tuple[str, ...]) -> None:
    """Without a Bearer challenge that can be read there is no realm."""
    assert realm_of(_challenged(*values)) is None


@pytest.mark.parametrize(
    "realm",
    [
        "",
        "/token",
        "ftp://auth.example/token",
        "https://me:secret@auth.example/token",
        "http://auth.example/token?secret",
        "https://auth.example/secret token",
    ],
)
def test_realms_that_get_no_credentials(realm: str) -> None:
    """A realm that is relative, odd, or http behind https is refused, in words without it."""
    with pytest.raises(UpstreamRefused, match=r"^hub\.example") as raised:
        realm_of(_challenged(f'Bearer realm="{realm}"'))
    assert "secret" not in raised.value.message


def test_http_for_http() -> None:
    """An upstream that is http itself may name a realm that is http."""
    reply = _challenged('Bearer realm="http://auth.example/"', url="http://hub.example/v2/")
    assert realm_of(reply) == Realm("http://auth.example/", None)


class _Asking:
    """What a memory asks: each asking waits until the test answers it."""

    def __init__(self) -> None:
        self.askings: list[Deferred[Realm]] = []

    async def __call__(self) -> Realm:
        self.askings.append(Deferred())
        return await self.askings[-1]


@pytest.fixture
def asking() -> _Asking:
    return _Asking()


@pytest.fixture
def memory(asking: _Asking) -> RealmMemory:
    return RealmMemory(asking)


def _recall(memory: RealmMemory) -> Deferred[Realm]:
    return Deferred.fromCoroutine(memory.recall())


def test_asked_once(asking: _Asking, memory: RealmMemory) -> None:
    """All who ask at the same time share one asking, and later ones what it found."""
    first, second = _recall(memory), _recall(memory)
    asking.askings[0].callback(_REALM)
    assert first.result == second.result == _recall(memory).result == _REALM
    assert len(asking.askings) == 1


def test_a_failure_is_not_remembered(asking: _Asking, memory: RealmMemory) -> None:
    """All who wait share a failure too, and the next one asks again."""
    first, second = _recall(memory), _recall(memory)
    asking.askings[0].errback(UpstreamFailure())
    error_of(first, UpstreamFailure)
    error_of(second, UpstreamFailure)
    third = _recall(memory)
    asking.askings[1].callback(_REALM)
    assert third.result == _REALM


def test_one_who_leaves(asking: _Asking, memory: RealmMemory) -> None:
    """One who is cancelled leaves the others waiting for their answer."""
    first, second = _recall(memory), _recall(memory)
    first.cancel()
    error_of(first, CancelledError)
    asking.askings[0].callback(_REALM)
    assert second.result == _REALM


def test_the_last_who_leaves(asking: _Asking, memory: RealmMemory) -> None:
    """The last one who is cancelled ends the asking, and the next begins another."""
    first, second = _recall(memory), _recall(memory)
    first.cancel()
    second.cancel()
    error_of(first, CancelledError)
    error_of(second, CancelledError)
    assert asking.askings[0].called, "it is still being asked"
    third = _recall(memory)
    asking.askings[1].callback(_REALM)
    assert third.result == _REALM


def test_learning_and_forgetting(asking: _Asking, memory: RealmMemory) -> None:
    """What was learned is answered without asking, until it is forgotten."""
    memory.learn(_REALM)
    assert _recall(memory).result == _REALM
    assert not asking.askings
    memory.forget()
    _recall(memory)
    assert len(asking.askings) == 1
