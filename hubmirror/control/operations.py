"""The operations by their names, with arguments that came as JSON."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Final

from attrs import frozen

from hubmirror.cache.archive import Exporter
from hubmirror.cache.image_names import ImageName, ImageNames
from hubmirror.cache.importing import Importer
from hubmirror.cache.interfaces import IBlobStore, IIndex
from hubmirror.cache.inventory import Inventory, NotKept
from hubmirror.cache.open_file import InThread
from hubmirror.cache.partials import PartialStore
from hubmirror.cache.platforms import ALL, spelled
from hubmirror.cache.reports import Problem, Report
from hubmirror.cache.upkeep import Upkeep
from hubmirror.errors import HubmirrorError
from hubmirror.mirror.pulling import Puller, PullFailed

__all__ = ["NAMES", "NeedsDaemon", "Operations", "QuotaTold", "Reports", "UsageInvalid"]

Reports = AsyncGenerator[Report, None]
#: Tells how the quota stands, as the object that ``GET /quota`` answers to who may see it all.
TellQuota = Callable[[], Mapping[str, object]]

#: All that can be asked for.
NAMES: Final = (
    *("ls", "show", "verify", "rm", "refresh", "pin", "unpin", "prune", "export", "import"),
    *("pull", "quota"),
)


class UsageInvalid(HubmirrorError):
    """An operation that there is not, or arguments that it does not take."""


class NeedsDaemon(HubmirrorError):
    """An operation that takes a daemon, on a folder at rest."""


@frozen
class QuotaTold(Report):
    """How the quota stands: ``quota`` is the object of ``GET /quota``."""

    event = "quota"
    quota: Mapping[str, object]


@frozen
class _Arguments:
    """What came with an operation, each part looked at when it is taken."""

    values: Mapping[str, object]
    names: ImageNames
    files: Sequence[int]

    def images(self) -> list[ImageName]:
        """All that are named; none is allowed."""
        return [self.names.parse(text) for text in self.texts("images")]

    def some_images(self) -> list[ImageName]:
        """All that are named, one at least."""
        found = self.images()
        if not found:
            raise UsageInvalid("an image is needed")
        return found

    def image(self) -> ImageName:
        """The one that is named."""
        found = self.images()
        if len(found) != 1:
            raise UsageInvalid("one image is needed")
        return found[0]

    def texts(self, name: str) -> list[str]:
        """A list of texts, empty where it is missing."""
        found = self.values.get(name, [])
        if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
            raise UsageInvalid(f"{name} must be a list of texts")
        return found

    def flag(self, name: str) -> bool:
        """A truth value, false where it is missing."""
        found = self.values.get(name, False)
        if not isinstance(found, bool):
            raise UsageInvalid(f"{name} must be true or false")
        return found

    def file(self) -> int:
        """A descriptor of one's own for the file that came."""
        if len(self.files) != 1:
            raise UsageInvalid("one file is needed")
        return os.dup(self.files[0])


@frozen
class Operations:
    """Begins operations. ``puller`` is None where no upstream can be asked, ``quota`` where nothing

    is counted.
    """

    names: ImageNames
    inventory: Inventory
    upkeep: Upkeep
    exporter: Exporter
    importer: Importer
    puller: Puller | None
    quota: TellQuota | None = None

    @classmethod
    def over(
        cls,
        index: IIndex,
        blobs: IBlobStore,
        partials: PartialStore,
        names: ImageNames,
        in_thread: InThread,
        *,
        make_room: Callable[[int], Awaitable[int]],
        now: Callable[[], float],
        puller: Puller | None = None,
        quota: TellQuota | None = None,
    ) -> Operations:
        """The operations on one cache.

        ``in_thread`` runs what blocks for a file that is no part of it; ``make_room(incoming)``
        evicts what is too much, with so many bytes more, and returns the bytes that it freed.
        """
        upkeep = Upkeep(index, blobs, partials, make_room=lambda: make_room(0), now=now)
        importer = Importer(index, blobs, partials, names, in_thread, make_room=make_room, now=now)
        exporter = Exporter(index, blobs, in_thread)
        inventory = Inventory(index, blobs)
        return cls(names, inventory, upkeep, exporter, importer, puller, quota)

    def begin(self, name: str, values: Mapping[str, object], files: Sequence[int] = ()) -> Reports:
        """The reports of the operation ``name``, which goes on as they are taken.

        ``values`` may hold ``images``, ``platforms`` (lists of texts), ``name`` (an image's) and
        ``public`` (a truth value); ``files`` are descriptors, which stay the caller's. Raises
        ``UsageInvalid``, ``ImageNameInvalid`` or ``NeedsDaemon``; the reports themselves may end
        in another ``HubmirrorError``.
        """
        beginning = _BEGINNINGS.get(name)
        if beginning is None:
            raise UsageInvalid(f"there is no operation {name[:40]!r}")
        return beginning(self, _Arguments(values, self.names, files))

    def _verify(self, arguments: _Arguments) -> Reports:
        return self.upkeep.verify(arguments.image() if arguments.images() else None)

    def _import(self, arguments: _Arguments) -> Reports:
        name = [self.names.parse(text) for text in arguments.texts("name")]
        public = arguments.flag("public")
        return self.importer.import_(
            arguments.file(), name=name[0] if name else None, is_public=public
        )

    def _export(self, arguments: _Arguments) -> Reports:
        return self.exporter.export(arguments.some_images(), arguments.file())

    def _pull(self, arguments: _Arguments) -> Reports:
        return _each(self._images_to_ask_for(arguments), partial(self._pull_one, arguments))

    def _refresh(self, arguments: _Arguments) -> Reports:
        return _each(self._images_to_ask_for(arguments), partial(self._refresh_one, arguments))

    async def _tell_quota(self) -> Reports:
        if self.quota is None:
            raise NeedsDaemon("nothing is counted here: ask a running daemon")
        yield QuotaTold(self.quota())

    async def _pull_one(self, arguments: _Arguments, image: ImageName) -> Reports:
        platforms = arguments.texts("platforms") or [ALL]
        async for report in self._asking().pull(image, platforms):
            yield report

    async def _refresh_one(self, arguments: _Arguments, image: ImageName) -> Reports:
        """Without platforms for those of which a manifest is here."""
        tree = await self.inventory.find(image)
        here = [child.descriptor.platform for child in tree.children if child.row is not None]
        known = [spelled(platform) for platform in here if platform is not None]
        platforms = arguments.texts("platforms") or known or [ALL]
        async for report in self._asking().pull(image, platforms, is_checked=True):
            yield report

    def _images_to_ask_for(self, arguments: _Arguments) -> list[ImageName]:
        self._asking()
        return arguments.some_images()

    def _asking(self) -> Puller:
        if self.puller is None:
            raise NeedsDaemon("this asks the upstream, which the running daemon does: start it")
        return self.puller


async def _each(images: Sequence[ImageName], begin: Callable[[ImageName], Reports]) -> Reports:
    """One after another; one that fails leaves the others alone."""
    for image in images:
        try:
            async with aclosing(begin(image)) as reports:
                async for report in reports:
                    yield report
        except (PullFailed, NotKept) as error:
            yield Problem(str(image.or_latest()), str(error))


_BEGINNINGS: Final[Mapping[str, Callable[[Operations, _Arguments], Reports]]] = {
    "ls": lambda to, given: to.inventory.ls(given.images()),
    "show": lambda to, given: to.inventory.show(given.image()),
    "verify": Operations._verify,
    "rm": lambda to, given: to.upkeep.rm(given.image()),
    "pin": lambda to, given: to.upkeep.pin(given.image()),
    "unpin": lambda to, given: to.upkeep.pin(given.image(), is_pinned=False),
    "prune": lambda to, _given: to.upkeep.prune(),
    "export": Operations._export,
    "import": Operations._import,
    "refresh": Operations._refresh,
    "pull": Operations._pull,
    "quota": lambda to, _given: to._tell_quota(),
}
