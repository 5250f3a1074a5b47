"""Host names to addresses that may be connected to, in threads of their own."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Any, Final

from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure

from hubmirror.upstream.failures import LookupFailed, LookupTimeout
from hubmirror.upstream.guard import AddressGuard, is_literal

__all__ = ["GuardedResolver"]

#: As many names may be looked up at one time. Each has one thread, and gives it back when
#: ``getaddrinfo`` returns: a name that hangs holds one however many wait for it.
MAX_LOOKUPS: Final = 32

_NOT_FOUND: Final = frozenset((socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)))


class GuardedResolver:
    """Looks names up and lets the guard judge what comes back.

    ``getaddrinfo`` blocks and cannot be stopped, so it runs in daemon threads that no other
    work waits for, not even the end of the process. Lookups of one name at the same time share
    a thread. ``reactor`` provides ``IReactorTime`` and ``IReactorFromThreads``; ``timeout`` is
    in seconds.
    """

    def __init__(
        self,
        reactor: Any,
        guard: AddressGuard,
        *,
        timeout: float = 10.0,
        getaddrinfo: Callable[..., Any] = socket.getaddrinfo,
    ) -> None:
        self._reactor = reactor
        self._guard = guard
        self._timeout = timeout
        self._getaddrinfo = getaddrinfo
        self._waiting: dict[str, list[Deferred[tuple[str, ...]]]] = {}

    def permitted(self, host: str) -> Deferred[tuple[str, ...]]:
        """The addresses of ``host`` that the guard permits, the preferred ones first.

        Fails as ``lookup`` does, and with ``UpstreamRefused`` when it permits none.
        """
        return self.lookup(host).addCallback(partial(self._guard.permitted, host))

    def lookup(self, host: str) -> Deferred[tuple[str, ...]]:
        """The addresses of ``host``, at least one, not judged.

        Fails with ``LookupFailed``, or its kind ``LookupTimeout``.
        """
        if is_literal(host):
            return succeed((host,))
        if host not in self._waiting:
            if len(self._waiting) >= MAX_LOOKUPS:
                return fail(_timed_out(host))
            Thread(target=self._work, args=(host,), name=f"lookup {host}", daemon=True).start()
            self._waiting[host] = []
        waiters = self._waiting[host]
        waiter: Deferred[tuple[str, ...]] = Deferred(waiters.remove)
        waiters.append(waiter)
        return waiter.addTimeout(
            self._timeout, self._reactor, lambda _result, _seconds: Failure(_timed_out(host))
        )

    def _work(self, host: str) -> None:
        """In a thread: look up, and bring the outcome to the reactor."""
        try:
            found = self._getaddrinfo(host, None, socket.AF_UNSPEC, socket.SOCK_STREAM)
            addresses = tuple(dict.fromkeys(str(info[4][0]) for info in found))
        except (OSError, UnicodeError) as error:
            self._reactor.callFromThread(self._deliver, host, (), error)
        else:
            self._reactor.callFromThread(self._deliver, host, addresses, None)

    def _deliver(self, host: str, addresses: tuple[str, ...], error: Exception | None) -> None:
        waiters = self._waiting.pop(host)
        while waiters:
            if addresses:
                waiters.pop(0).callback(addresses)
            else:
                waiters.pop(0).errback(_failed(host, error))


def _timed_out(host: str) -> LookupTimeout:
    return LookupTimeout(f"looking up the host name {host} took too long: no name server answered")


def _failed(host: str, error: Exception | None) -> LookupFailed:
    if isinstance(error, socket.gaierror) and error.errno not in _NOT_FOUND:
        return LookupFailed(f"the host name {host} could not be looked up: no usable name server")
    return LookupFailed(f"the host name {host} was not found")
