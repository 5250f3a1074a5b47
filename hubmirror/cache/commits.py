"""Group commit: changes that come while others are being written are written together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

__all__ = ["GroupCommit"]

T = TypeVar("T")


class GroupCommit(Generic[T]):
    """Calls ``write`` with all that waits, one call at a time, in the order of ``add``.

    Each fsync so serves as many as wait for one.
    """

    def __init__(self, write: Callable[[Sequence[T]], Deferred[None]]) -> None:
        self._write = write
        self._waiting: list[tuple[T, Deferred[None]]] = []
        self._is_writing = False

    def add(self, item: T) -> Deferred[None]:
        """Fires when ``item`` is written, or fails as its batch does.

        Cancelling it gives up the waiting, not the change.
        """
        waiter: Deferred[None] = Deferred()
        self._waiting.append((item, waiter))
        if not self._is_writing:
            self._next()
        return waiter

    def _next(self) -> None:
        batch, self._waiting = self._waiting, []
        self._is_writing = bool(batch)
        if batch:
            self._write([item for item, _ in batch]).addBoth(
                self._written, [waiter for _, waiter in batch]
            )

    def _written(self, result: Failure | None, waiters: Sequence[Deferred[None]]) -> None:
        self._next()
        for waiter in waiters:
            if isinstance(result, Failure):
                waiter.errback(result)
            else:
                waiter.callback(None)
