"""Threads for the stores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.python.threadpool import ThreadPool

from hubmirror.cache.blobs import FileBlobStore
from hubmirror.cache.interfaces import IBlobStore, IPartialStore
from hubmirror.cache.partials import PartialStore
from tests.cache.broken_files import BrokenFiles
from tests.cache.contract_partials import Restart


@pytest.fixture
def pool() -> Iterator[ThreadPool]:
    """Two threads, gone in the end."""
    pool = ThreadPool(0, 2)
    pool.start()
    yield pool
    pool.stop()


@pytest.fixture
def files() -> BrokenFiles:
    """A disk that works, until it is told not to."""
    return BrokenFiles()


@pytest.fixture
def restart(
    tmp_path: Path, files: BrokenFiles, reactor: Any, pool: ThreadPool
) -> Iterator[Restart]:
    """Opens the stores in the test's folder, as each start of the daemon does.

    In the end they have done all that they had to.
    """
    started: list[PartialStore] = []

    async def start() -> tuple[IBlobStore, IPartialStore]:
        blobs = FileBlobStore(tmp_path, files, reactor, pool, pool)
        partials = PartialStore(tmp_path, files, reactor, pool, pool)
        await blobs.sweep()
        await partials.sweep()
        started.append(partials)
        return blobs, partials

    yield lambda: Deferred.fromCoroutine(start())
    files.errors.clear()
    for partials in started:
        pytest_twisted.blockon(partials.settled())


@pytest.fixture
def partials(restart: Restart) -> PartialStore:
    """The store, in an empty folder."""
    _, partials = pytest_twisted.blockon(restart())
    assert isinstance(partials, PartialStore)
    return partials
