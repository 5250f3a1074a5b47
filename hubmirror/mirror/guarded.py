"""``/v2/`` and ``/token`` where the mirror's clients log in to the mirror itself."""

from __future__ import annotations

from attrs import frozen
from zope.interface import implementer

from hubmirror.access.office import TokenOffice
from hubmirror.mirror.origin import IOrigin
from hubmirror.mirror.outage import IDoorway
from hubmirror.question import Answer, Question, TokenRequest

__all__ = ["GuardedDoorway"]


@implementer(IDoorway)
@frozen(eq=False)
class GuardedDoorway:
    """The mirror is its own token server: nothing of this goes upstream, so no outage matters.

    Who comes as far as ``ping`` has been let in already.
    """

    _office: TokenOffice

    async def ping(self, question: Question, origin: IOrigin) -> Answer:  # noqa: ARG002
        """See ``IDoorway``."""
        return Answer(200, (("Content-Type", "application/json"),), b"{}")

    async def token(
        self,
        question: Question,
        request: TokenRequest,
        origin: IOrigin,  # noqa: ARG002
    ) -> Answer:
        """See ``IDoorway``."""
        return await self._office.answer(question, request)
