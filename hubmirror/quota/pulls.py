"""Docker Hub's own limit: what it says of it, who causes pulls, when it runs out."""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from attrs import define, field, frozen

from hubmirror.errors import TooManyRequests
from hubmirror.naming import Digest
from hubmirror.question import ManifestRequest, Question
from hubmirror.quota.rules import Rules
from hubmirror.quota.shares import is_member
from hubmirror.quota.spender import Spender

__all__ = ["OURS", "HubLimit", "Pull", "Pulls"]

#: The payer of pulls that count against the mirror's own address or account.
OURS: Final = ""
#: How many payers are remembered, beside ourselves, and how many pulls are told of.
PAYERS: Final = 1_000
TOLD: Final = 100
#: The rate of pulls is that of the last hour, or of less where there were none before; of less
#: than ten minutes it would say nothing. In seconds.
RATE_OVER: Final = 3_600.0
RATE_LEAST: Final = 600.0
#: So many of a payer's latest pulls make its rate: more than a limited account has in a window.
TIMED: Final = 300
#: The longest account or address that is taken from an answer, in characters.
MAX_SOURCE: Final = 128

_VALUE = re.compile(r"(\d{1,9});w=(\d{1,7})", re.ASCII)


@frozen
class HubLimit:
    """What Docker Hub said last: ``remaining`` of ``limit`` pulls in ``window`` seconds.

    ``source`` is whom it counts, an address or an account, ``seen`` when it said so, in seconds
    since the epoch.
    """

    limit: int
    remaining: int
    window: int
    source: str | None
    seen: float


@frozen
class Pull:
    """One pull that was counted: when, for whom, and what (``library/busybox:latest``)."""

    at: float
    spender: Spender
    image: str


class Pulls:
    """What is left of Docker Hub's limit, by who pays: a user's own account, or ``OURS``.

    The shares that ``rules`` reserve are reserved of this limit, too.
    """

    def __init__(self, rules: Rules, now: Callable[[], float]) -> None:
        self.rules = rules
        self._now = now
        self._payers: OrderedDict[str, _Payer] = OrderedDict()
        self._latest: deque[Pull] = deque(maxlen=TOLD)

    def observe(
        self,
        payer: str,
        limit: str | None,
        remaining: str | None,
        source: str | None,
        *,
        has_counted: bool = False,
    ) -> None:
        """What an answer's ``ratelimit-limit``, ``ratelimit-remaining`` (``76;w=21600``) and

        ``docker-ratelimit-source`` say, and whether it was a pull that counted. What is missing
        or malformed says nothing.
        """
        ceiling, left = _parse(limit), _parse(remaining)
        if ceiling is None or left is None:
            return
        now = self._now()
        told = HubLimit(ceiling[0], left[0], ceiling[1], _readable(source), now)
        account = self._payers.setdefault(payer, _Payer(told))
        account.told = told
        if has_counted:
            account.pulls.append(now)
        self._payers.move_to_end(payer)
        if len(self._payers) > PAYERS + 1:
            del self._payers[next(one for one in self._payers if one != OURS)]

    def latest(self) -> list[Pull]:
        """The pulls that were counted last, the latest first."""
        return list(reversed(self._latest))

    def limits(self) -> dict[str, HubLimit]:
        """What was said of each payer's limit and still holds, the latest at the end."""
        current = ((payer, self._current(payer)) for payer in self._payers)
        return {payer: told for payer, told in current if told is not None}

    def is_low(self, payer: str, spender: Spender) -> bool:
        """Whether ``spender`` should rather take what is outdated than cost ``payer`` a pull."""
        told = self._current(payer)
        if told is None:
            return False
        low = told.limit * self.rules.spare_below / 100
        return told.remaining - self._reserved(payer, spender, told) <= low

    def admit(self, payer: str, spender: Spender) -> None:
        """Raises ``TooManyRequests`` where all the pulls that are left are reserved for others."""
        told = self._current(payer)
        if told is None:
            return
        reserved = self._reserved(payer, spender, told)
        if reserved and told.remaining <= reserved:
            raise TooManyRequests(
                f"Docker Hub's last {told.remaining} pulls are reserved for other clients",
                headers={"Retry-After": "60"},
            )

    def counted(self, spender: Spender, question: Question) -> None:
        """Docker Hub has counted this pull."""
        self._latest.append(Pull(self._now(), spender, _image_of(question)))

    def exhausted_at(self, payer: str) -> float | None:
        """When ``payer``'s pulls run out at the present rate, in seconds since the epoch; None

        where they last to the end of Docker Hub's window, or nothing is known.
        """
        told = self._current(payer)
        if told is None:
            return None
        if told.remaining == 0:
            return told.seen
        now = self._now()
        pulls = [at for at in self._payers[payer].pulls if 0 <= now - at < RATE_OVER]
        if not pulls:
            return None
        span = max(RATE_LEAST, now - pulls[0])
        end = now + told.remaining * span / len(pulls)
        return end if end < told.seen + told.window else None

    def _current(self, payer: str) -> HubLimit | None:
        """What was said of ``payer``'s limit, unless its window is over."""
        known = self._payers.get(payer)
        if known is None or not 0 <= self._now() - known.told.seen < known.told.window:
            return None
        return known.told

    def _reserved(self, payer: str, spender: Spender, told: HubLimit) -> float:
        """What is kept for others: of the mirror's own pulls, for a user's are that user's."""
        if payer != OURS:
            return 0
        others = (one for one in self.rules.reserves if not is_member(one, spender))
        return sum(told.limit * one.share / 100 for one in others)


@define(eq=False)
class _Payer:
    """What was said last of a payer's limit, and when the latest pulls were."""

    told: HubLimit
    pulls: deque[float] = field(factory=lambda: deque(maxlen=TIMED))


def _image_of(question: Question) -> str:
    subject = question.subject
    if not isinstance(subject, ManifestRequest):
        raise TypeError("only manifests are pulled")
    separator = "@" if isinstance(subject.reference, Digest) else ":"
    return f"{subject.repository.name}{separator}{subject.reference}"


def _readable(source: str | None) -> str | None:
    is_good = source is not None and len(source) <= MAX_SOURCE and source.isprintable()
    return source if is_good else None


def _parse(value: str | None) -> tuple[int, int] | None:
    """``76;w=21600`` as a number and a window in seconds."""
    match = _VALUE.fullmatch(value or "")
    return None if match is None else (int(match[1]), int(match[2]))
