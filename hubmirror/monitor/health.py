"""``GET /healthz`` and ``GET /readyz``: what a supervisor or a load balancer asks."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from attrs import frozen
from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import Resource
from twisted.web.server import Request

from hubmirror.cache.errors import StoreFailed
from hubmirror.cache.threads import Threads
from hubmirror.monitor.later import answer_later
from hubmirror.monitor.recent import Recent

__all__ = ["Healthz", "Readyz", "StoreCheck", "Writable"]

#: How long the disk has for a small file, and for how long its answer holds, in seconds.
PATIENCE: Final = 5.0
KEEP: Final = 5.0
#: The file that is written and removed. Always the same: a crash leaves one at most.
PROBE: Final = "health.probe"


@frozen
class Writable:
    """Whether the store can be written, and why not: in words without paths or names."""

    is_writable: bool
    why: str | None = None

    def as_json(self) -> dict[str, object]:
        """The object that ``/readyz`` has for it."""
        why = {} if self.why is None else {"why": self.why}
        return {"writable": self.is_writable, **why}


class StoreCheck:
    """Whether a file can be written into ``folder``: really tried, in one of ``threads``.

    All who ask within ``KEEP`` seconds get one answer, so nobody can load the disk with it.
    """

    def __init__(self, folder: Path, threads: Threads, clock: IReactorTime) -> None:
        self._path = folder / PROBE
        self._threads = threads
        self._recent = Recent(self._try, clock, keep=KEEP, patience=PATIENCE)

    async def writable(self) -> Writable:
        """What the last try found, or a new one finds."""
        found = await self._recent.get()
        return found or Writable(False, f"the disk did not answer within {PATIENCE:g} seconds")

    async def is_writable(self) -> bool:
        """The same in a word."""
        return (await self.writable()).is_writable

    async def _try(self) -> Writable:
        try:
            await self._threads.run(_write_and_remove, self._path)
        except StoreFailed as error:
            return Writable(False, str(error))
        return Writable(True)


class Healthz(Resource):
    """``{"status": "ok"}``, for as long as the process answers at all."""

    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        _set_headers(request)
        return b'{"status": "ok"}\n'


class Readyz(Resource):
    """``{"ready", "store": {"writable"}, "upstream": {"is_up"}}``; 503 where it is not ready:

    while the store can't be written, is not open yet, or the daemon is ending. An upstream that
    is down is told and no reason: what is kept is served.
    """

    isLeaf = True

    def __init__(
        self,
        store: StoreCheck,
        *,
        is_upstream_up: Callable[[], bool],
        is_open: Callable[[], bool],
        is_draining: Callable[[], bool],
    ) -> None:
        super().__init__()
        self._store = store
        self._is_upstream_up = is_upstream_up
        self._is_open = is_open
        self._is_draining = is_draining

    def render_GET(self, request: Request) -> int:
        _set_headers(request)
        return answer_later(request, self._answer(request))

    async def _answer(self, request: Request) -> bytes:
        if self._is_open():
            store = await self._store.writable()
        else:
            store = Writable(False, "it is not open yet")
        is_draining = self._is_draining()
        is_ready = store.is_writable and not is_draining
        told: dict[str, object] = {
            "ready": is_ready,
            "store": store.as_json(),
            "upstream": {"is_up": self._is_upstream_up()},
        }
        if is_draining:
            told["why"] = "the daemon is ending"
        request.setResponseCode(200 if is_ready else 503)
        return json.dumps(told).encode() + b"\n"


def _set_headers(request: Request) -> None:
    request.setHeader("Content-Type", "application/json")
    request.setHeader("Cache-Control", "no-store")


def _write_and_remove(path: Path) -> None:
    """Without a sync: a disk that is full or read-only says so at once, and one that is merely

    busy is no reason to send clients away.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            os.write(fd, b"can this be written?\n")
        finally:
            os.close(fd)
    finally:
        path.unlink()
