"""A certificate from an ACME server, got and renewed in time, as long as the daemon runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from threading import Event
from typing import Any, Protocol, TypeVar

from cryptography import x509
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from hubmirror.certificates.acme_failures import AcmeFailed
from hubmirror.certificates.acme_store import AcmeStore
from hubmirror.certificates.acme_times import Suggestion, pause_after, renewal_of
from hubmirror.certificates.files import CertificateError, KeyPair
from hubmirror.certificates.issuing import names_of

__all__ = ["IssuesCertificates", "Renewal"]

#: The longest time between two looks at the clock, in seconds: it may be set, or a machine sleep.
LONGEST_SLEEP = 60.0
#: Bounds for when a server's suggestion is asked for again.
_SOONEST = timedelta(minutes=1)
_LATEST = timedelta(days=1)

T = TypeVar("T")


class IssuesCertificates(Protocol):
    """What ``AcmeClient`` does, in a thread."""

    def obtain(self, names: Sequence[str]) -> KeyPair:
        """Get a certificate for ``names``, and keep it."""

    def suggestion(self, leaf: x509.Certificate) -> Suggestion:
        """When the server would have ``leaf`` renewed."""


class Renewal:
    """Keeps ``store`` provided with a certificate for ``names``, by ``client``.

    ``run`` has a function run in a thread; ``installed`` is called with each new certificate on
    the disk; ``now`` is the time of day, ``clock`` an ``IReactorTime``, and ``chance`` gives
    random numbers from 0 to 1. Setting ``stopping`` tells the thread to.
    """

    _log = Logger()

    def __init__(
        self,
        names: Sequence[str],
        store: AcmeStore,
        client: IssuesCertificates,
        *,
        run: Callable[[Callable[[], Any]], Deferred[Any]],
        installed: Callable[[], object],
        clock: Any,
        now: Callable[[], datetime],
        chance: Callable[[], float],
        stopping: Event,
    ) -> None:
        self._names = tuple(names)
        self._store = store
        self._client = client
        self._run = run
        self._installed = installed
        self._clock = clock
        self._now = now
        self._chance = chance
        self._stopping = stopping
        self._next: IDelayedCall | None = None
        self._suggestion: Suggestion | None = None
        self._failures = 0
        self._not_before: datetime | None = None

    def start(self) -> None:
        """Look what there is, get what is missing, and renew it from then on."""
        working = Deferred.fromCoroutine(self._look())
        working.addErrback(self._broken)

    def hurry(self) -> None:
        """Try again now what has failed, unless just that is being done."""
        if self._next is not None and self._next.active():
            self._next.cancel()
            self._not_before = None
            self.start()

    def stop(self) -> None:
        """Wait for nothing more. What a thread is just doing it does to its end."""
        self._stopping.set()
        if self._next is not None and self._next.active():
            self._next.cancel()

    async def _look(self) -> None:
        pair = self._kept()
        due = await self._due(pair)
        if not self._stopping.is_set() and due <= self._now():
            pair = await self._obtain(pair)
            due = self._now() if pair is None else renewal_of(pair.chain[0])
        if self._not_before is not None:
            due = max(due, self._not_before)
        self._again((due - self._now()).total_seconds())

    def _again(self, seconds: float) -> None:
        if not self._stopping.is_set():
            wait = min(max(seconds, 0.0), LONGEST_SLEEP)
            self._next = self._clock.callLater(wait, self.start)

    def _kept(self) -> KeyPair | None:
        """What is kept and can be used; what is missing in it makes it due."""
        try:
            return self._store.pair()
        except CertificateError as error:
            self._log.warn("another certificate will be got: {why}", why=str(error))
            return None

    async def _due(self, pair: KeyPair | None) -> datetime:
        """When another is to be got."""
        now = self._now()
        if pair is None or not set(self._names) <= names_of(pair.chain[0]):
            due = now
        else:
            await self._ask(pair.chain[0])
            due = renewal_of(pair.chain[0], self._suggestion)
        return due if self._not_before is None else max(due, self._not_before)

    async def _ask(self, leaf: x509.Certificate) -> None:
        """Have the server's suggestion, if it is time to ask; without one it goes on as before."""
        now = self._now()
        if self._suggestion is not None and now < self._suggestion.ask_again:
            return
        try:
            found = await self._run(lambda: self._client.suggestion(leaf))
        except (AcmeFailed, CertificateError) as error:
            self._log.debug("no suggestion when to renew: {why}", why=str(error))
            at = None if self._suggestion is None else self._suggestion.at
            found = Suggestion(at, now + _LATEST / 4)
        again = min(max(found.ask_again, now + _SOONEST), now + _LATEST)
        self._suggestion = Suggestion(found.at, again)

    async def _obtain(self, old: KeyPair | None) -> KeyPair | None:
        """Another, or None after a failure, which says when to try again."""
        try:
            pair: KeyPair = await self._run(lambda: self._client.obtain(self._names))
        except (AcmeFailed, CertificateError) as error:
            if not self._stopping.is_set():
                self._failed(str(error), getattr(error, "retry_after", None), old)
            return None
        self._suggestion = None
        leaf = pair.chain[0]
        self._log.info(
            "a certificate for {names} has been {what}: from {issuer}, good until {end}",
            names=", ".join(self._names),
            what="issued" if old is None else "renewed",
            issuer=leaf.issuer.rfc4514_string(),
            end=_written(leaf.not_valid_after_utc),
        )
        self._installed()
        if renewal_of(leaf) <= self._now():
            self._failed("it is to be renewed at once: is this machine's clock right?", None, pair)
        else:
            self._failures, self._not_before = 0, None
        return pair

    def _failed(self, why: str, asked: float | None, old: KeyPair | None) -> None:
        """Say so, and wait before the next try: longer each time."""
        self._failures += 1
        now = self._now()
        end = None if old is None else old.chain[0].not_valid_after_utc
        life = None if old is None or end is None else end - old.chain[0].not_valid_before_utc
        left = None if end is None else end - now
        pause = pause_after(self._failures, self._chance(), asked, left, life)
        self._not_before = now + timedelta(seconds=pause)
        self._log.error(
            "no new certificate for {names}: {why}; tried again at {at}; {meanwhile}",
            names=", ".join(self._names),
            why=why,
            at=_written(self._not_before),
            meanwhile=_meanwhile(end, now),
        )

    def _broken(self, failure: Failure) -> None:
        """A defect of ours: it must not be the end of renewals."""
        self._log.failure("getting a certificate failed", failure=failure)
        self._failed("a defect, see the log", None, None)
        self._again(LONGEST_SLEEP)


def _meanwhile(end: datetime | None, now: datetime) -> str:
    if end is None:
        return "there is none meanwhile"
    if end <= now:
        return f"the one in force has ended at {_written(end)}"
    return f"the one in force is good until {_written(end)}"


def _written(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).isoformat(timespec="seconds")
