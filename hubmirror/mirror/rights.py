"""Who may read what is kept of a repository: a right is what the upstream's own answers opened.

A repository is public when the mirror's own anonymous token opened it: then what is kept of it
goes to anybody, with any token, none, or a dead one. Else the right is each token's own, learned
from an upstream answer to it.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import field, frozen
from twisted.internet.defer import Deferred

from hubmirror.cache.interfaces import IIndex, Publicity
from hubmirror.coordination.flights import IFlights
from hubmirror.errors import RegistryError
from hubmirror.mirror.origin import IOrigin, unconditional_head
from hubmirror.mirror.patience import IPatience
from hubmirror.naming import Repository
from hubmirror.question import Question
from hubmirror.tokens.grants import Grants

__all__ = ["Rights"]


@frozen(eq=False)
class Rights:
    """``is_open_mirror``: the mirror pulls by an account of its own, for whoever may use it."""

    _index: IIndex
    _grants: Grants
    _flights: IFlights
    _patience: IPatience
    _now: Callable[[], float]
    _public_ttl: float = field(kw_only=True)
    _is_open_mirror: bool = field(kw_only=True)

    async def allows(self, question: Question, repository: Repository, origin: IOrigin) -> bool:
        """Whether the client may read what is kept of ``repository``.

        Where that isn't known the upstream is asked: by a HEAD with the client's credential.
        While it can't be asked, what was known last holds.
        """
        if await self.is_public(question, repository, origin):
            return True
        if self._grants.allows(question.credential, repository):
            return True
        try:
            reply = await origin.ask(unconditional_head(question))
        except RegistryError:
            return self._grants.allows(question.credential, repository, in_outage=True)
        reply.body.discard()
        if reply.status == 429 or reply.status >= 500:
            return self._grants.allows(question.credential, repository, in_outage=True)
        return reply.status == 200

    async def is_public(self, question: Question, repository: Repository, origin: IOrigin) -> bool:
        """Whether ``repository`` is public; asked anew when that is older than ``public_ttl``."""
        if self._is_open_mirror:
            return True
        known = await self._index.publicity(repository)
        if known is not None and self._now() - known.checked < self._public_ttl:
            return known.is_public
        asking = self.learn_publicity(question, repository, origin)
        if known is None:
            return await asking or False
        answer = await self._patience.wait(asking)
        return known.is_public if answer is None else answer

    async def note(self, question: Question, repository: Repository, origin: IOrigin) -> None:
        """Something of ``repository`` is kept now: find out behind whether it is public."""
        if not self._is_open_mirror and await self._index.publicity(repository) is None:
            self._patience.leave_behind(self.learn_publicity(question, repository, origin))

    def learn_publicity(
        self, question: Question, repository: Repository, origin: IOrigin
    ) -> Deferred[bool | None]:
        """Ask the upstream anonymously for what ``question`` asks, once for all who want to know.

        Fires with None where the upstream did not say.
        """
        return self._flights.join(
            ("public", repository), lambda: self._ask(question, repository, origin)
        )

    async def _ask(
        self, question: Question, repository: Repository, origin: IOrigin
    ) -> bool | None:
        try:
            reply = await origin.as_mirror().ask(unconditional_head(question))
        except RegistryError:
            return None
        reply.body.discard()
        if reply.status not in (200, 401, 403):
            return None
        if reply.status != 200:
            return await self.no_longer_public(repository)
        await self._index.put_publicity(repository, Publicity(True, self._now()))
        return True

    async def no_longer_public(self, repository: Repository) -> bool:
        """The upstream refuses the mirror: whether the repository still counts as public.

        Deleted and private look alike, so only what an operator has pinned does.
        """
        known = await self._index.publicity(repository)
        pinned = {pinned for pinned, _ in await self._index.pins()}
        stays = known is not None and known.is_public and repository in pinned
        await self._index.put_publicity(repository, Publicity(stays, self._now()))
        return stays
