"""Clients at addresses of their own, many at once, and what a mirror tells of its quota."""

from __future__ import annotations

import http.client
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from attrs import field, frozen

from tests.support.mirror import Mirror, Reply

__all__ = ["THREADS", "Caller", "Load", "told", "under_load"]

#: How many ask at once.
THREADS = 16


@frozen
class Caller:
    """Who asks ``mirror`` from ``address``, which is one of loopback's.

    ``headers`` go with each request.
    """

    mirror: Mirror
    address: str = "127.0.0.1"
    headers: Mapping[str, str] = field(factory=dict)

    def connect(self) -> http.client.HTTPConnection:
        """A connection from there."""
        return self.mirror.connect(source=(self.address, 0))

    def ask(
        self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> Reply:
        """One request on a connection of its own."""
        connection = self.connect()
        try:
            connection.request(method, path, headers={**self.headers, **(headers or {})})
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())
        finally:
            connection.close()

    def ask_all(self, paths: Sequence[str]) -> Counter[int]:
        """How often each status came for ``paths``, asked for on ``THREADS`` connections."""
        with ThreadPoolExecutor(THREADS) as threads:
            shares = [paths[number::THREADS] for number in range(THREADS)]
            return sum(threads.map(self._ask_each, shares), Counter())

    def _ask_each(self, paths: Sequence[str]) -> Counter[int]:
        connection = self.connect()
        try:
            return Counter(_status(connection, path, self.headers) for path in paths)
        finally:
            connection.close()


@frozen
class Load:
    """``THREADS`` clients that ask for ``path`` over and over, each on one connection."""

    caller: Caller
    path: str
    _is_over: Event = field(factory=Event)
    _statuses: list[int] = field(factory=list)

    def answers(self) -> Counter[int]:
        """How often each status came so far."""
        return Counter(tuple(self._statuses))

    def run(self) -> None:
        """One client, until ``end``."""
        connection = self.caller.connect()
        while not self._is_over.is_set():
            self._statuses.append(_status(connection, self.path, self.caller.headers))
        connection.close()

    def end(self) -> None:
        """Ask no more; what was asked is still answered."""
        self._is_over.set()


@contextmanager
def under_load(caller: Caller, path: str) -> Iterator[Load]:
    """A ``Load`` that has come to its end, all answers read, after the ``with``."""
    load = Load(caller, path)
    clients = [Thread(target=load.run) for _ in range(THREADS)]
    for client in clients:
        client.start()
    try:
        yield load
    finally:
        load.end()
        for client in clients:
            client.join()


def told(mirror: Mirror, path: str = "/quota") -> dict[str, Any]:
    """What the mirror says there, to who may know all of it."""
    answer = mirror.ask(path)
    assert answer.status == 200, (answer.status, answer.body)
    found: dict[str, Any] = json.loads(answer.body)
    return found


def _status(connection: http.client.HTTPConnection, path: str, headers: Mapping[str, str]) -> int:
    connection.request("GET", path, headers=dict(headers))
    response = connection.getresponse()
    response.read()
    return response.status
