"""A cache in memory that is operated on over a real socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred

from hubmirror.cache.image_names import ImageName, ImageNames
from hubmirror.cache.reports import Progress, Pulled
from hubmirror.control.operations import Operations, Reports
from hubmirror.demo.image import hello_image
from hubmirror.mirror.pulling import PullFailed
from tests.cache.collecting import here, keep_image, result_of
from tests.cache.kept import BUSYBOX
from tests.cache.memory import MemoryBlobStore, MemoryIndex
from tests.cache.memory_partials import MemoryPartials

__all__ = ["IMAGE", "NAMES", "Cache", "FakePuller"]

IMAGE = hello_image()
NAMES = ImageNames("docker.io", library_prefix=True)


class FakePuller:
    """Notes what it should pull; pulls nothing of ``missing``, and waits where it is told to."""

    def __init__(self) -> None:
        self.pulled: list[tuple[str, list[str], bool]] = []
        self.waiting: Deferred[None] | None = None

    async def pull(
        self, image: ImageName, platforms: list[str], *, is_checked: bool = False
    ) -> Reports:
        """As ``Puller.pull``."""
        self.pulled.append((str(image), platforms, is_checked))
        if image.repository.name == "library/missing":
            raise PullFailed("the answer was 404")
        yield Progress(str(image), 1, 2)
        if self.waiting is not None:
            await self.waiting
        yield Pulled(str(image), str(IMAGE.index.digest), tuple(platforms), 2, 2)


@define
class Cache:
    """A cache with busybox:1, and the operations on it."""

    index: MemoryIndex = field(factory=MemoryIndex)
    blobs: MemoryBlobStore = field(factory=MemoryBlobStore)
    puller: FakePuller = field(factory=FakePuller)

    def operations(self, in_thread: Callable[..., Any] = here, **parts: Any) -> Operations:
        """The operations; ``parts`` replaces some of what they are made of."""
        work = keep_image(self.index, self.blobs, IMAGE, BUSYBOX, "1")
        result_of(Deferred.fromCoroutine(work))

        async def make_room(_incoming: int) -> int:
            return 7

        made = {
            "puller": self.puller,
            "now": lambda: 5000.0,
            "quota": lambda: {"limit": 100, "used": 7},
            **parts,
        }
        partials: Any = MemoryPartials(self.blobs)
        return Operations.over(
            self.index, self.blobs, partials, NAMES, in_thread, make_room=make_room, **made
        )
