"""The real partial store, its threads' work done at once: what a test sees has an order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from hubmirror.cache.blobs import FileBlobStore
from hubmirror.cache.files import Files
from hubmirror.cache.partials import PartialStore

__all__ = ["InlinePool", "InlineReactor", "open_stores"]


class InlineReactor:
    """``IReactorFromThreads`` for threads that are none."""

    def callFromThread(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        work(*args, **kwargs)


class InlinePool:
    """A ``ThreadPool`` whose one thread is the caller; ``hold`` lets its work wait."""

    def __init__(self) -> None:
        self.is_held = False
        self._held: list[Callable[[], None]] = []

    def callInThreadWithCallback(
        self, done: Callable[[bool, Any], None], work: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> None:
        def run() -> None:
            try:
                result = work(*args, **kwargs)
            except Exception:
                done(False, Failure())
            else:
                done(True, result)

        if self.is_held:
            self._held.append(run)
        else:
            run()

    def start(self) -> None:
        """There is no thread to start."""

    def stop(self) -> None:
        """Nor one to stop."""

    def release(self) -> None:
        """Do what was held, and hold no more."""
        self.is_held = False
        while self._held:
            self._held.pop(0)()


def open_stores(
    folder: Path, pool: InlinePool, files: Files | None = None
) -> tuple[PartialStore, FileBlobStore]:
    """The stores in ``folder``, as a daemon's start opens them."""
    reactor: Any = InlineReactor()
    threads: Any = pool
    files = files or Files()
    blobs = FileBlobStore(folder, files, reactor, threads, threads)
    partials = PartialStore(folder, files, reactor, threads, threads)
    _at_once(blobs.sweep())
    _at_once(partials.sweep())
    return partials, blobs


def _at_once(deferred: Deferred[None]) -> None:
    results: list[object] = []
    deferred.addBoth(results.append)
    assert results == [None], results
