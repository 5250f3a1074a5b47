"""The registry's API where only what is at hand is answered; the rest is passed on."""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail

from hubmirror.mirror.elsewhere import NotAtHand
from hubmirror.mirror.mirror import Mirror
from hubmirror.question import Answer, Question
from hubmirror.quota.kinds import Kind
from hubmirror.quota.leased import LeasedCharge
from hubmirror.quota.quota import Charge
from hubmirror.registries import Registries
from hubmirror.registry.api import Api, Begun, Took
from hubmirror.registry.message import Exchange
from hubmirror.registry.relay import Relay
from hubmirror.registry.request import MirrorRequest
from hubmirror.transport.bodies import Bodies

__all__ = ["ApiAtHand"]


class ApiAtHand(Api):
    """``mirror`` raises ``NotAtHand`` for what it leaves to the process behind ``relay``.

    What is answered here is paid for when its answer is there: so nothing counts twice.
    """

    def __init__(
        self, mirror: Mirror, bodies: Bodies, registries: Registries, took: Took, relay: Relay
    ) -> None:
        super().__init__(mirror, bodies, registries, took)
        self._relay = relay

    def begin(self, exchange: Exchange) -> Begun:
        """As any ``Api``; the answer fails with ``NotAtHand`` where there is none here."""
        try:
            return super().begin(exchange)
        except NotAtHand as error:
            answer: Deferred[Answer] = fail(error)
            return Begun(None, answer, _untold)

    async def _answer(self, question: Question, charge: Charge) -> Answer:
        answer = await super()._answer(question, charge)
        if isinstance(charge, LeasedCharge) and not charge.spend():
            self._bodies.discard(answer.body)
            raise NotAtHand
        return answer

    async def _serve(self, request: MirrorRequest, begun: Begun) -> None:
        try:
            answer = await begun.answer
        except NotAtHand:
            await self._relay.pass_on(request)
        else:
            await self._write(request, answer)


def _untold(_kind: Kind, _seconds: float) -> None:
    """The other process tells how long it took."""
