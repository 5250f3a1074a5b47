"""Where an upstream's tokens come from: the realm of its own Bearer challenge."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from hubmirror.errors import UpstreamRefused
from hubmirror.upstream.challenge import parse_challenges
from hubmirror.upstream.client import Reply
from hubmirror.upstream.url import checked_url, origin_of

__all__ = ["Realm", "RealmMemory", "realm_of"]


@frozen
class Realm:
    """A token server: its URL, and the service for which it is asked there."""

    url: str
    service: str | None


def realm_of(reply: Reply) -> Realm | None:
    """The realm of the first Bearer challenge in ``reply``, or None without one.

    Raises ``UpstreamRefused`` for a realm that this mirror will not send credentials to: one
    that is not an absolute http(s) URL, holds a user name, or is http while the upstream is
    https.
    """
    values = (value for name, value in reply.headers if name.lower() == "www-authenticate")
    for challenge in parse_challenges(values):
        if challenge.is_scheme("Bearer"):
            url = _checked(challenge.parameter("realm") or "", reply.url)
            return Realm(url, challenge.parameter("service"))
    return None


def _checked(realm: str, upstream: str) -> str:
    host = origin_of(upstream).host
    try:
        url = checked_url(realm)
    except ValueError as error:
        raise UpstreamRefused(f"{host} names a realm that is no good URL: {error}") from None
    if upstream.startswith("https:") and not url.startswith("https:"):
        raise UpstreamRefused(f"{host} is https, but names a realm that is http")
    return url


class RealmMemory:
    """The realm in memory. ``ask`` finds it out, once for all who want it at the same time."""

    def __init__(self, ask: Callable[[], Coroutine[Deferred[Any], Any, Realm]]) -> None:
        self._ask = ask
        self._realm: Realm | None = None
        self._asking: Deferred[None] | None = None
        self._waiting: list[Deferred[Realm]] = []

    def learn(self, realm: Realm) -> None:
        """``realm`` is what the upstream says now."""
        self._realm = realm

    def forget(self) -> None:
        """The next ``recall`` asks anew."""
        self._realm = None

    async def recall(self) -> Realm:
        """The realm; asked for when unknown. Fails as ``ask`` does.

        A waiter that is cancelled leaves the others waiting; the last one ends the asking.
        """
        if self._realm is not None:
            return self._realm
        waiter: Deferred[Realm] = Deferred(self._leave)
        self._waiting.append(waiter)
        if len(self._waiting) == 1:
            asking = Deferred.fromCoroutine(self._ask())
            self._asking = asking.addCallbacks(self._found, self._failed)
        return await waiter

    def _leave(self, waiter: Deferred[Realm]) -> None:
        self._waiting.remove(waiter)
        if not self._waiting and self._asking is not None:
            self._asking.cancel()  # at once, so that another asking may begin

    def _found(self, realm: Realm) -> None:
        self._realm = realm
        for waiter in self._all_waiting():
            waiter.callback(realm)

    def _failed(self, failure: Failure) -> None:
        for waiter in self._all_waiting():
            waiter.errback(failure)

    def _all_waiting(self) -> list[Deferred[Realm]]:
        """Those who wait, and wait no more: what they do next may begin another asking."""
        waiting, self._waiting = self._waiting, []
        return waiting
