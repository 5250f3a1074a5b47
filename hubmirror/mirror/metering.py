"""The way upstream of one question, on which Docker Hub's pulls are counted and spared."""

from __future__ import annotations

from ipaddress import ip_network

from attrs import field, frozen
from zope.interface import implementer

from hubmirror.mirror.origin import IOrigin
from hubmirror.question import ManifestRequest, Question
from hubmirror.quota.pulls import OURS
from hubmirror.quota.quota import IQuota
from hubmirror.quota.spender import Spender
from hubmirror.upstream.client import Reply

__all__ = ["MeteredOrigin"]


@implementer(IOrigin)
@frozen(eq=False)
class MeteredOrigin:
    """``origin``, for what ``spender`` causes; ``payer`` is whose pulls that costs.

    ``is_account``: the mirror pulls by an account of its own, so Docker Hub counts that, and else
    the mirror's address. A manifest that comes by GET is a pull, a HEAD is free.
    """

    _origin: IOrigin
    _quota: IQuota
    _spender: Spender
    _payer: str
    _is_account: bool = field(kw_only=True)

    def admit(self) -> None:
        """See ``IOrigin``."""
        self._origin.admit()

    def spares_pulls(self) -> bool:
        """See ``IOrigin``."""
        return self._quota.pulls.is_low(self._payer, self._spender)

    async def ask(self, question: Question) -> Reply:
        """See ``IOrigin``. Raises ``TooManyRequests`` where the pulls left are for others."""
        is_pull = question.method == "GET" and isinstance(question.subject, ManifestRequest)
        if is_pull:
            self._quota.pulls.admit(self._payer, self._spender)
        reply = await self._origin.ask(question)
        limit = reply.header("RateLimit-Limit")
        has_counted = is_pull and reply.status == 200 and limit is not None
        self._observe(reply, has_counted=has_counted)
        if has_counted:
            self._quota.pulled(self._spender, question)
        return reply

    def as_mirror(self) -> IOrigin:
        """See ``IOrigin``: what the mirror asks as itself costs its own pulls."""
        way = self._origin.as_mirror()
        return MeteredOrigin(way, self._quota, self._spender, OURS, is_account=self._is_account)

    async def authorization(self, question: Question) -> str | None:
        """See ``IOrigin``."""
        return await self._origin.authorization(question)

    def opened(self, question: Question) -> None:
        """See ``IOrigin``."""
        self._origin.opened(question)

    def _observe(self, reply: Reply, *, has_counted: bool) -> None:
        """Take note of the limit that ``reply`` tells of, if that is the payer's.

        A token that we know nothing of may be that of somebody's account: it must not tell how
        many pulls are left for all who have none.
        """
        source = reply.header("Docker-RateLimit-Source")
        is_ours = self._is_account or source is None or _is_address(source)
        if self._payer != OURS or is_ours:
            self._quota.pulls.observe(
                self._payer,
                reply.header("RateLimit-Limit"),
                reply.header("RateLimit-Remaining"),
                source,
                has_counted=has_counted,
            )


def _is_address(source: str) -> bool:
    try:
        ip_network(source.strip(), strict=False)
    except ValueError:
        return False
    return True
