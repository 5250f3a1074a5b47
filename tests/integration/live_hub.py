"""The embedded Hub on a thread of this process, so that a test can change it while it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Thread
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.threads import blockingCallFromThread

from hubmirror.demo.accounts import Accounts
from hubmirror.demo.hub import Hub, HubFaults, HubSettings
from hubmirror.demo.store import MemoryStore

__all__ = ["PASSWORDS", "LiveHub", "live_hub"]

#: The Hub's users.
PASSWORDS = {"alice": "wonderland", "bob": "builder"}


class _ThreadReactor(EPollReactor):
    """A reactor for another thread than the first, whose own stays the process's I/O thread."""

    _registerAsIOThread = False


class LiveHub:
    """A running Hub. ``readers`` are the users of private repositories, to be changed at will."""

    def __init__(self, readers: Mapping[str, frozenset[str]], settings: HubSettings) -> None:
        self.store = MemoryStore()
        self.readers = dict(readers)
        self._reactor = _ThreadReactor()
        self._hub = Hub(self._reactor, self.store, Accounts(PASSWORDS, self.readers), settings)
        self._thread = Thread(target=self._reactor.run, kwargs={"installSignalHandlers": False})
        self._thread.start()
        self.call(self._hub.start)
        self.url = self._hub.registry_url

    @property
    def upstream(self) -> tuple[str, ...]:
        """The options by which a mirror knows it."""
        return ("--upstream", self.url, "--library-prefix", "true")

    @property
    def faults(self) -> HubFaults:
        """What goes wrong at each host, to be set at any time."""
        return self._hub.faults

    @property
    def blob_bytes_sent(self) -> int:
        """Bytes of bodies that the blob host wrote so far."""
        return self._hub.blob_bytes_sent

    def asked(self, host: str) -> Counter[tuple[str, str, int | None]]:
        """How often ``host`` got each request: method, path and the status of the answer."""
        received = self.call(lambda: tuple(self._hub.requests))
        return Counter(
            (each.method, each.path, each.status) for each in received if each.host == host
        )

    def call(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """The result of ``work``, or of its Deferred, done in the Hub's own thread."""
        return blockingCallFromThread(self._reactor, work, *arguments)

    def vanish(self) -> None:
        """Be gone: connections are refused from now on, and those that are open are cut."""
        self.call(self._hub.stop)

    def end(self) -> None:
        """Stop, and end the thread."""
        self.vanish()
        self._reactor.callFromThread(self._reactor.stop)
        self._thread.join()


@contextmanager
def live_hub(
    readers: Mapping[str, frozenset[str]] | None = None, settings: HubSettings | None = None
) -> Iterator[LiveHub]:
    """A Hub that ends with the ``with``. A repository that is not in ``readers`` is public."""
    hub = LiveHub(readers or {}, settings or HubSettings())
    try:
        yield hub
    finally:
        hub.end()
