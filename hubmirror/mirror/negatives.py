"""404s, kept for a little while: clients ask for what is not there more often than one thinks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final, cast

from attrs import evolve

from hubmirror.mirror.accepting import accepted_types
from hubmirror.question import Answer, IStream, Outcome, Question
from hubmirror.upstream.body import read

__all__ = ["Negatives"]

#: How many are kept, and how large one may be, in bytes.
MOST: Final = 10_000
MAX_BODY: Final = 16 * 1024


class Negatives:
    """Remembers, in memory, what the upstream did not have, for ``lifetime`` seconds.

    Each credential has its own: what one may not see, another may.
    """

    def __init__(self, lifetime: float, now: Callable[[], float]) -> None:
        self._lifetime = lifetime
        self._now = now
        self._kept: OrderedDict[Hashable, tuple[float, Answer]] = OrderedDict()

    def find(self, question: Question) -> Answer | None:
        """The 404 that the upstream gave to the same question a moment ago."""
        if not self._kept:
            return None
        until, answer = self._kept.get(_key(question), (0.0, None))
        if answer is None or not self._now() < until <= self._now() + self._lifetime:
            return None
        return answer

    async def keep(self, question: Question, answer: Answer) -> Answer:
        """``answer``, which is remembered if it is a 404."""
        if answer.status != 404:
            return answer
        whole = await _whole(answer)
        if whole is None:
            return answer
        status = ("Cache-Status", "hubmirror; hit; detail=404")
        headers = (*_without_status(answer), status)
        remembered = evolve(whole, headers=headers, outcome=Outcome.HIT)
        self._kept[_key(question)] = (self._now() + self._lifetime, remembered)
        while len(self._kept) > MOST:
            self._kept.popitem(last=False)
        return whole


def _key(question: Question) -> Hashable:
    types = accepted_types(question.accept)
    return question.method, question.subject, types, hash(question.credential)


async def _whole(answer: Answer) -> Answer | None:
    """``answer`` with its body read, or None where that is long, or of unknown length."""
    if isinstance(answer.body, bytes):
        return answer if len(answer.body) <= MAX_BODY else None
    length = getattr(answer.body, "length", None)
    if length is None or length > MAX_BODY:
        return None
    return evolve(answer, body=await read(cast(IStream, answer.body), MAX_BODY))


def _without_status(answer: Answer) -> tuple[tuple[str, str], ...]:
    return tuple(pair for pair in answer.headers if pair[0] != "Cache-Status")
