"""Work that is begun at once, for little where it need not wait for anything."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail, succeed

__all__ = ["start"]

T = TypeVar("T")

_Work = Coroutine[Deferred[Any], Any, T]


def start(work: _Work[T]) -> Deferred[T]:
    """``work`` as ``Deferred.fromCoroutine`` would have it, which is called if it has to wait.

    What it does for that costs as much as a tenth of an answer that is at hand.
    """
    try:
        awaited = work.send(None)
    except StopIteration as end:
        return succeed(end.value)
    except Exception:
        return fail()
    return Deferred.fromCoroutine(_rest(work, awaited))


@coroutine
def _rest(work: _Work[T], awaited: Deferred[Any]) -> Generator[Deferred[Any], Any, T]:
    """``work``, which waits for ``awaited`` already."""
    try:
        while True:
            try:
                result = yield awaited
            except Exception as error:
                awaited = work.throw(error)
            else:
                awaited = work.send(result)
    except StopIteration as end:
        found: T = end.value
        return found
