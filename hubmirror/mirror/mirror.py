"""The one place where a question gets its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import field, frozen

from hubmirror.access.gate import IAccess, OpenAccess
from hubmirror.access.refusals import Unauthorized
from hubmirror.errors import RegistryError
from hubmirror.mirror.metering import MeteredOrigin
from hubmirror.mirror.mirrored import MirroredRegistry
from hubmirror.mirror.origin import IOrigin, SpentOrigin
from hubmirror.mirror.reviewing import Reviewing
from hubmirror.question import Answer, Outcome, Preflight, Question, Refusal, registry_of
from hubmirror.quota.pulls import OURS
from hubmirror.quota.quota import Charge, IQuota
from hubmirror.tokens.holders import IHolders

__all__ = ["Mirror"]

#: Statuses by which a limit or a rule refuses, ours or the upstream's.
REFUSALS: Final = (403, 429)


@frozen
class Mirror:
    """Decides in one order, for every way that a question comes in: rule, quota, right, and then

    as the ``MirroredRegistry`` that it is about does; ``registry`` gives that by its name, "" for
    the default one. ``answer`` raises a ``RegistryError`` for whatever is refused or fails.
    """

    quota: IQuota
    holders: IHolders
    registry: Callable[[str], MirroredRegistry]
    access: IAccess = field(factory=OpenAccess)
    reviewing: Reviewing | None = None

    def admit(self, question: Question) -> Charge:
        """Count ``question``: for who tells the charge what was sent, after the ``answer``.

        What the rules of this mirror refuse at once spends nothing.
        """
        refusal = self.access.objection(question)
        if refusal is not None:
            return self.quota.refuse(question, refusal)
        user = self.access.user_of(question) or self.holders.user_of(question.credential)
        return self.quota.admit(question, user)

    async def answer(self, question: Question, charge: Charge | None = None) -> Answer:
        """The answer to ``question``; cancelling it ends what only this client wanted."""
        charge = charge or self.admit(question)
        outcome = Outcome.ERROR
        try:
            answer = await self._decided(question, charge)
            outcome = _outcome_of(answer)
            return answer
        except RegistryError as error:
            if error.status in (*REFUSALS, Unauthorized.status):
                outcome = Outcome.REFUSED
            raise
        finally:
            charge.settle(outcome)

    async def _decided(self, question: Question, charge: Charge) -> Answer:
        registry = self.registry(registry_of(question.subject))
        way = self._way_upstream(registry, charge)
        await self.access.decide(question)
        match question.subject:
            case Refusal(error):
                raise error
            case Preflight():
                return Answer(204)
        answer = await registry.answer(question, way)
        return answer if self.reviewing is None else await self.reviewing.passed(question, answer)

    def _way_upstream(self, registry: MirroredRegistry, charge: Charge) -> IOrigin:
        """Who has spent what there is for him does not get past what is kept, if to that."""
        if charge.refusal is not None:
            if charge.is_final:
                raise charge.refusal
            return SpentOrigin(charge.refusal)
        if not registry.is_metered:
            return registry.origin
        user, is_account = charge.spender.user, registry.is_account
        payer = OURS if user is None or is_account else user
        return MeteredOrigin(
            registry.origin, self.quota, charge.spender, payer, is_account=is_account
        )


def _outcome_of(answer: Answer) -> Outcome:
    if answer.status in REFUSALS:
        return Outcome.REFUSED
    return Outcome.ERROR if answer.status >= 500 else answer.outcome
