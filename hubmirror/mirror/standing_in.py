"""Other servers of the same registry, asked while the first one is down.

They are asked in the mirror's own name: what a client shows is for the first one alone. So what is
private comes from there or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve
from zope.interface import implementer

from hubmirror.errors import RegistryError, UpstreamFailure
from hubmirror.mirror.origin import IOrigin
from hubmirror.question import Question
from hubmirror.upstream.blobs import BlobChanged, BlobPart, IRemoteBlob, Refused
from hubmirror.upstream.client import Reply

__all__ = ["BlobWithStandIns", "OriginWithStandIns"]


@implementer(IOrigin)
class OriginWithStandIns:
    """``first``, and then each of ``others``, until one has an answer; else it is the first's."""

    def __init__(self, first: IOrigin, others: Sequence[IOrigin]) -> None:
        self._first = first
        self._others = others

    def admit(self) -> None:
        """See ``IOrigin``."""
        self._first.admit()

    def spares_pulls(self) -> bool:
        """See ``IOrigin``."""
        return self._first.spares_pulls()

    async def ask(self, question: Question) -> Reply:
        """See ``IOrigin``."""
        try:
            reply = await self._first.ask(question)
        except UpstreamFailure:
            other = await self._ask_others(question)
            if other is None:
                raise
            return other
        if reply.status < 500:
            return reply
        other = await self._ask_others(question)
        if other is None:
            return reply
        reply.body.discard()
        return other

    def as_mirror(self) -> IOrigin:
        """See ``IOrigin``."""
        return OriginWithStandIns(self._first.as_mirror(), self._others)

    async def authorization(self, question: Question) -> str | None:
        """See ``IOrigin``: it is for the first one."""
        return await self._first.authorization(question)

    def opened(self, question: Question) -> None:
        """See ``IOrigin``."""
        self._first.opened(question)

    async def _ask_others(self, question: Question) -> Reply | None:
        for other in self._others:
            try:
                reply = await other.ask(question)
            except RegistryError:
                continue
            if reply.status < 400:
                return reply
            reply.body.discard()
        return None


@implementer(IRemoteBlob)
class BlobWithStandIns:
    """A blob of the ``first`` server, or where that fails of one of ``others``."""

    def __init__(self, first: IRemoteBlob, others: Sequence[IRemoteBlob]) -> None:
        self.digest = first.digest
        self.needs_reader = first.needs_reader
        self._first = first
        self._others = others

    async def open(
        self,
        start: int,
        end: int | None = None,
        *,
        size: int | None = None,
        validator: str | None = None,
    ) -> BlobPart:
        """See ``IRemoteBlob``. Another server's ETag tells nothing; the digest decides."""
        try:
            return await self._first.open(start, end, size=size, validator=validator)
        except BlobChanged:
            raise
        except UpstreamFailure:
            part = await self._open_another(start, end, size)
            if part is None:
                raise
            return part

    async def _open_another(self, start: int, end: int | None, size: int | None) -> BlobPart | None:
        for other in self._others:
            try:
                part = await other.open(start, end, size=size)
            except (RegistryError, Refused):
                continue
            return evolve(part, validator=None)
        return None
