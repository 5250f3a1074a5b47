"""The running daemon, or else the files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from hubmirror.cli.operating.failures import OperationFailed
from hubmirror.cli.operating.quota_source import QuotaSource
from hubmirror.config import load
from hubmirror.control.operations import Operations
from hubmirror.quota.files import QuotaFiles
from tests.control.caches import Cache

Serve = Callable[[Operations], Path]
InThread = Callable[..., Deferred[Any]]


def source(folder: Path) -> QuotaSource:
    """That of the mirror in ``folder``."""
    return QuotaSource(load({"data": str(folder)}, {}, uid=0).config)


@pytest_twisted.inlineCallbacks
def test_a_daemon(serve: Serve, in_thread: InThread, tmp_path: Path) -> Any:
    """It is asked each time; when it is gone its folder is left alone, for the next one."""
    numbers = iter(range(2))
    serve(Cache().operations(quota=lambda: {"used": next(numbers)}))
    quota = source(tmp_path)

    first = yield in_thread(quota.now)
    second = yield in_thread(quota.now)

    assert (first, second) == ({"used": 0}, {"used": 1})
    (tmp_path / "control.sock").rename(tmp_path / "elsewhere")
    with pytest.raises(OperationFailed, match="any more"):
        quota.now()
    (tmp_path / "elsewhere").rename(tmp_path / "control.sock")
    assert not (tmp_path / "lock").exists()


@pytest_twisted.inlineCallbacks
def test_at_rest(serve: Serve, in_thread: InThread, tmp_path: Path) -> Any:
    """The files are read once, and then a daemon is looked for."""
    QuotaFiles.open(tmp_path).close()
    quota = source(tmp_path)

    first = quota.now()
    os.unlink(tmp_path / "lock")

    assert first["used"] == 0
    assert json.dumps(first)
    assert quota.now() is first
    assert not (tmp_path / "lock").exists()
    serve(Cache().operations())
    told = yield in_thread(quota.now)
    assert told["used"] == 7
