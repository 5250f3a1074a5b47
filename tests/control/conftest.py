"""A socket, and a thread in which a client blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from hubmirror.control.operations import Operations
from hubmirror.control.site import make_site
from hubmirror.control.socket import listen


@pytest.fixture
def pool() -> Iterator[ThreadPool]:
    """Threads, gone in the end."""
    pool = ThreadPool(0, 4)
    pool.start()
    yield pool
    pool.stop()


@pytest.fixture
def in_thread(reactor: Any, pool: ThreadPool) -> Callable[..., Deferred[Any]]:
    """Runs what blocks, such as a client."""
    return lambda work, *args, **kwargs: deferToThreadPool(reactor, pool, work, *args, **kwargs)


@pytest.fixture
def serve(tmp_path: Path, reactor: Any) -> Iterator[Callable[[Operations], Path]]:
    """Serves operations; returns the socket."""
    ports: list[Any] = []

    def serve_one(operations: Operations) -> Path:
        ports.append(listen(reactor, tmp_path, make_site(operations, reactor)))
        return tmp_path / "control.sock"

    yield serve_one
    for port in ports:
        pytest_twisted.blockon(maybeDeferred(port.stopListening))
