"""Images that are kept fresh by themselves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import aclosing

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from hubmirror.cache.image_names import ImageName
from hubmirror.cache.reports import Pulled
from hubmirror.errors import HubmirrorError
from hubmirror.mirror.pulling import Puller

__all__ = ["Warming"]


class Warming:
    """Pulls ``images`` for ``platforms`` every ``period`` seconds, one after another.

    A round that takes longer than a period puts off the next. An image's failure is logged when
    it begins and when it is over.
    """

    _log = Logger()

    def __init__(
        self,
        puller: Puller,
        images: Sequence[ImageName],
        platforms: Collection[str],
        period: float,
        clock: IReactorTime,
    ) -> None:
        self._puller = puller
        self._images = images
        self._platforms = platforms
        self._period = period
        self._clock = clock
        self._failing: set[ImageName] = set()
        self._loop: LoopingCall | None = None
        self._round: Deferred[None] = succeed(None)

    def start(self) -> None:
        """Begin with a first round now; without images there is nothing to do."""
        if self._images:
            self._loop = LoopingCall(self._begin_round)
            self._loop.clock = self._clock
            self._loop.start(self._period)

    def stop(self) -> None:
        """End it, in the midst of a round, too."""
        if self._loop is not None:
            loop, self._loop = self._loop, None
            loop.stop()
            self._round.cancel()

    def _begin_round(self) -> Deferred[None]:
        self._round = Deferred.fromCoroutine(self._pull_all())
        return self._round

    async def _pull_all(self) -> None:
        for image in self._images:
            try:
                await self._pull(image)
            except CancelledError:
                return
            except HubmirrorError as error:
                if image not in self._failing:
                    self._log.warn(
                        "{image} can't be kept fresh: {why}", image=str(image), why=str(error)
                    )
                self._failing.add(image)
            except Exception:  # a defect in one round must not end all later ones
                self._log.failure("keeping {image} fresh failed", image=str(image))

    async def _pull(self, image: ImageName) -> None:
        pulling = self._puller.pull(image, self._platforms, is_checked=True)
        async with aclosing(pulling) as reports:
            async for report in reports:
                if isinstance(report, Pulled) and image in self._failing:
                    self._failing.discard(image)
                    self._log.info("{image} is fresh again", image=str(image))
