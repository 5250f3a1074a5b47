"""The one place where a question gets its answer."""

from __future__ import annotations

from hubmirror.question import Answer, Preflight, Question, Refusal, TokenRequest
from hubmirror.quota.daily import DailyQuota
from hubmirror.tokens.proxy import TokenProxy
from hubmirror.upstream.client import Reply
from hubmirror.upstream.registry import RemoteRegistry

__all__ = ["Mirror"]


class Mirror:
    """Decides in one order, for every way that a question comes in: quota, then upstream.

    Raises a ``RegistryError`` for whatever is refused or fails.
    """

    def __init__(self, quota: DailyQuota, registry: RemoteRegistry, tokens: TokenProxy) -> None:
        self._quota = quota
        self._registry = registry
        self._tokens = tokens

    async def answer(self, question: Question) -> Answer:
        """The answer to ``question``; cancelling it ends what was begun upstream."""
        self._quota.spend()
        if isinstance(question.subject, Refusal):
            raise question.subject.error
        if isinstance(question.subject, Preflight):
            return Answer(204)
        return _answer(await self._ask_upstream(question))

    async def _ask_upstream(self, question: Question) -> Reply:
        if isinstance(question.subject, TokenRequest):
            return await self._tokens.exchange(question, question.subject)
        return await self._registry.ask(question)


def _answer(reply: Reply) -> Answer:
    return Answer(reply.status, reply.headers, reply.body, upstream_seconds=reply.seconds)
