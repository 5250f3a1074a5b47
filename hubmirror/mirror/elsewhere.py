"""The policy where only what is at hand is answered: all else is for another process to answer.

A worker's ``Mirror`` is made of the same parts as any, but for these. They raise ``NotAtHand``
as soon as an answer would need more than what is kept and known, before anything has begun.
"""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

from twisted.internet.defer import Deferred
from zope.interface import implementer

from hubmirror.coordination.flights import IFlights
from hubmirror.fetching.fetch import FetchStatus, IFetcher
from hubmirror.mirror.origin import IOrigin
from hubmirror.mirror.outage import IDoorway
from hubmirror.mirror.patience import IPatience
from hubmirror.question import Question

__all__ = ["Elsewhere", "NotAtHand", "nothing_remote"]

T = TypeVar("T")


class NotAtHand(Exception):
    """The answer is for another process to give."""


@implementer(IOrigin, IFlights, IFetcher, IDoorway, IPatience)
class Elsewhere:
    """Whatever would take more than a look at what is kept."""

    def admit(self) -> NoReturn:
        """See ``IOrigin``."""
        raise NotAtHand

    def spares_pulls(self) -> NoReturn:
        """See ``IOrigin``."""
        raise NotAtHand

    def ask(self, question: Question) -> NoReturn:  # noqa: ARG002 - raises when called
        """See ``IOrigin``."""
        raise NotAtHand

    def as_mirror(self) -> Elsewhere:
        """See ``IOrigin``."""
        return self

    def authorization(self, question: Question) -> NoReturn:  # noqa: ARG002
        """See ``IOrigin``."""
        raise NotAtHand

    def opened(self, question: Question) -> NoReturn:  # noqa: ARG002
        """See ``IOrigin``."""
        raise NotAtHand

    def join(self, *_: object) -> NoReturn:
        """See ``IFlights``."""
        raise NotAtHand

    def read(self, *_: object) -> NoReturn:
        """See ``IFetcher``."""
        raise NotAtHand

    def running(self) -> list[FetchStatus]:
        """See ``IFetcher``: none runs here."""
        return []

    def ping(self, *_: object) -> NoReturn:
        """See ``IDoorway``."""
        raise NotAtHand

    def token(self, *_: object) -> NoReturn:
        """See ``IDoorway``."""
        raise NotAtHand

    async def wait(self, work: Deferred[T], *_: object, **__: object) -> T:
        """See ``IPatience``: whatever fails is told."""
        return await work

    def leave_behind(self, work: Deferred[Any]) -> NoReturn:
        """See ``IPatience``: nothing goes on behind."""
        work.addErrback(lambda _: None).cancel()
        raise NotAtHand


async def nothing_remote(*_: object) -> NoReturn:
    """The way to a blob at the upstream, for ``Blobs``."""
    raise NotAtHand
