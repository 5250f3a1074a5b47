"""The same operations on a data folder that no daemon holds."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import react
from twisted.python.failure import Failure

from hubmirror.cache.image_names import ImageNames
from hubmirror.cache.threads import Threads
from hubmirror.cli.operating.failures import OperationFailed
from hubmirror.cli.operating.remote import Take
from hubmirror.config import Config
from hubmirror.control.operations import Operations
from hubmirror.datafolder import DataFolder, DataFolderError
from hubmirror.errors import HubmirrorError
from hubmirror.fetching.limits import FetchLimits
from hubmirror.storage import Pools, Room, Storage

__all__ = ["held", "operate_at_rest"]


def operate_at_rest(
    config: Config, name: str, values: Mapping[str, object], files: Sequence[int], take: Take
) -> None:
    """Hold the folder, do it, and let the folder go; as ``ask_daemon`` otherwise."""
    with held(config.data):
        _react(lambda reactor: _operate(reactor, config, name, values, files, take))


@contextmanager
def held(path: Path) -> Iterator[None]:
    """The data folder is ours meanwhile, and what is written there is its owner's.

    Raises ``OperationFailed``.
    """
    if not path.is_dir():
        raise OperationFailed(
            f"there is no data folder {path}: name the mirror's with --data or --config"
        )
    with _as_owner(path), closing(_hold(path)):
        yield


def _hold(path: Path) -> DataFolder:
    try:
        return DataFolder.open(path)
    except DataFolderError as error:
        raise OperationFailed(
            f"no daemon answers on the socket in {path}, and the folder can't be used at rest:"
            f" {error}"
        ) from error


@contextmanager
def _as_owner(path: Path) -> Iterator[None]:
    """As root: what is written here must belong to the user that the daemon runs as."""
    owner = path.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        yield
        return
    group, groups = os.getegid(), os.getgroups()
    os.setgroups([])
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


def _react(operate: Callable[[Any], Deferred[None]]) -> None:
    """Run a reactor until ``operate`` is done, and raise what it fails with."""
    failures: list[BaseException] = []

    def main(reactor: Any) -> Deferred[None]:
        def fail(failure: Failure) -> None:
            failures.append(failure.value or RuntimeError("no reason"))

        def end() -> Deferred[None]:
            work.cancel()
            return work

        work = operate(reactor)
        work.addErrback(fail)
        reactor.addSystemEventTrigger("before", "shutdown", end)
        return work

    with suppress(SystemExit):
        react(main)
    for failure in failures:
        if isinstance(failure, CancelledError):
            raise KeyboardInterrupt
        if isinstance(failure, HubmirrorError):
            raise OperationFailed(str(failure)) from failure
        raise failure


def _operate(
    reactor: Any,
    config: Config,
    name: str,
    values: Mapping[str, object],
    files: Sequence[int],
    take: Take,
) -> Deferred[None]:
    storage = Storage(
        reactor,
        config.data,
        time.time,
        FetchLimits(),
        Pools(),
        Room(config.max_size, config.min_free),
    )

    async def work() -> None:
        try:
            await storage.open()
            reports = _operations(reactor, config, storage).begin(name, values, files)
            async with aclosing(reports):
                async for report in reports:
                    take(report.as_json())
        finally:
            await storage.close()

    return Deferred.fromCoroutine(work())


def _operations(reactor: Any, config: Config, storage: Storage) -> Operations:
    is_hub = config.is_docker_hub
    registry = "docker.io" if is_hub else urlsplit(config.upstream).netloc

    async def make_room(incoming: int) -> int:
        return 0 if storage.evictor is None else await storage.evictor.make_room(incoming)

    return Operations.over(
        storage.index,
        storage.blobs,
        storage.partials,
        ImageNames(registry, config.uses_library_prefix),
        Threads(reactor, storage.pools.disk).run,
        make_room=make_room,
        now=time.time,
    )
