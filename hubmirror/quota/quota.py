"""The quota: where it is decided whether a request may be, and where it is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from attrs import define, frozen
from zope.interface import Attribute, Interface, implementer

from hubmirror.coordination.leases import Leases
from hubmirror.errors import RegistryError, TooManyRequests
from hubmirror.question import Outcome, Question
from hubmirror.quota.accounts import Account, Book, Dimension, Entry, Note
from hubmirror.quota.books import IBookStore
from hubmirror.quota.counters import ADMITTED, BYTES_IN, BYTES_OUT, PULLS, WIDTH, column_of
from hubmirror.quota.history import IHistory
from hubmirror.quota.kinds import Kind, kind_of
from hubmirror.quota.ledger import ILedger
from hubmirror.quota.pulls import Pulls
from hubmirror.quota.refusals import (
    Policy,
    Spent,
    client_policies,
    refused,
    spent_policy,
    window_policies,
)
from hubmirror.quota.rules import ClientLimits, Rules
from hubmirror.quota.shares import ENDLESS, Shares
from hubmirror.quota.spender import Spender, Spenders
from hubmirror.quota.tally import Tally
from hubmirror.quota.window import DAY, MINUTE, day_of, end_of

__all__ = [
    "WARNED_AT",
    "Charge",
    "IQuota",
    "Quota",
    "ReserveStatus",
    "Spending",
    "WindowStatus",
    "repository_of",
]

#: The percents of the day's limit that are told when they are reached.
WARNED_AT: Final = (50, 80, 95)
#: How many days' accounts are in memory: a clock may step back over midnight.
DAYS_AT_HAND: Final = 2
#: How many charges are remembered for requests to come.
REMEMBERED: Final = 4096

#: What is the same of questions that are counted alike: the client's address, its user, the type
#: of the subject, whether it is a HEAD, the repository.
_Alike = tuple[str, str | None, type, bool, str | None]
#: For each kind, the column of each outcome.
_COLUMNS: Final = [[column_of(kind, outcome) for outcome in Outcome] for kind in Kind]


@frozen
class WindowStatus:
    """Where a window stands. ``limit`` 0 is no limit, and ``remaining`` is then None."""

    limit: int
    used: int
    remaining: int | None
    reset: datetime


@frozen
class ReserveStatus:
    """How much of a reserve of the day is spent."""

    name: str
    size: int
    used: int


@define(eq=False)
class Charge:
    """Where a request is counted that has been decided about; those that are alike share one.

    ``refusal`` is why it may not go upstream, if it may not; with ``is_final`` it may not even
    have what is kept.
    """

    spender: Spender
    kind: Kind
    note: Note
    _row: list[int]
    refusal: RegistryError | None = None
    is_final: bool = False

    @property
    def is_counted(self) -> bool:
        """Whether it has been counted here: at once, but where others decide about it."""
        return True

    def settle(self, outcome: Outcome) -> None:
        """The request has come out so."""
        self._row[_COLUMNS[self.kind][outcome]] += 1

    def moved(self, received: int, sent: int) -> None:
        """So many bytes have come from and gone to the client in the end.

        They count in the minute that is open, which the next request turns, or the next second
        (``Quota.settle``): perhaps it is another day by then.
        """
        row, note = self._row, self.note
        row[BYTES_IN] += received
        row[BYTES_OUT] += sent
        note.bytes_in += received
        note.bytes_out += sent
        if not note.is_open:
            note.open()


class IQuota(Interface):
    """Where a request is decided about, and counted."""

    pulls: Pulls = Attribute("Docker Hub's own limit.")

    def admit(question: Question, user: str | None = None) -> Charge:
        """Count ``question``, of ``user`` where that is known for sure, and decide about it."""

    def refuse(question: Question, refusal: RegistryError) -> Charge:
        """``question`` is refused by a rule of this mirror's: it spends nothing."""

    def pulled(spender: Spender, question: Question) -> None:
        """Docker Hub has counted a pull, for which this client asked."""


@frozen
class Spending:
    """What requests elsewhere have spent, that were let through there: added up for one client

    and repository.
    """

    address: str
    user: str | None
    repository: str | None
    requests: int
    bytes_in: int
    bytes_out: int


@implementer(IQuota)
class Quota:
    """Decides by ``rules``, and counts what it lets through: at once in the ledger, so that no

    ``kill -9`` can give it away twice; by kind, client and repository in memory, for others to
    save now and then. ``now`` is in seconds since the epoch. ``warn`` is told, once a day each,
    the percents of the day's limit as they are reached.

    Every request comes by ``admit``, ``Charge.settle`` and ``Charge.moved``, amid so much other
    work that the processor has forgotten their code and data each time. So they touch as little
    as can be, by few calls: the windows, the ledger, the tally's open row, and a note of what
    should go into the accounts. The notes are counted there by ``settle``, once a second, and
    before anybody looks at an account.

    There is a plain way and a full one. Where no client has limits of its own and nothing is
    reserved, a window's count against its limit is all that there is to decide. In all other
    cases, and where such a window is spent, ``_decide`` looks at everything.

    Where other processes serve, too, ``leases`` are what they may let through by themselves, for
    as long as the plain way is all there is: ``lease``, called some times a second, sees to
    that. What they hold counts as used when it is decided about another request.
    """

    def __init__(
        self,
        rules: Rules,
        ledger: ILedger,
        history: IHistory,
        books: IBookStore,
        now: Callable[[], float],
        warn: Callable[[int], object] = lambda _percent: None,
        leases: Leases | None = None,
    ) -> None:
        self.tally = Tally(history, now)
        self._leases = leases
        self.pulls = Pulls(rules, now)
        self._ledger = ledger
        self._books = books
        self._now = now
        self._warn = warn
        self._row = self.tally.row
        self._charges: dict[_Alike, Charge] = {}
        self._notes: list[Note] = []
        self._at_hand: dict[int, Book] = {}
        self._is_told = False  # whoever is warned may look at this
        self._set_rules(rules, now())
        self._is_told = True

    @property
    def rules(self) -> Rules:
        """What is allowed; it may be set anew at any time, and holds for what is spent already."""
        return self._rules

    @rules.setter
    def rules(self, rules: Rules) -> None:
        if rules == self._rules:
            return
        now, unsaid = self._turn(), self._unsaid
        self._count_notes()
        self._set_rules(rules, now)
        if rules.per_day:  # a lower limit may have been reached already, and nobody was told
            self._will_warn([one for one in WARNED_AT if one in (*unsaid, *self._unsaid)])

    def admit(self, question: Question, user: str | None = None) -> Charge:
        """Count ``question``, of ``user`` where that is known for sure, and decide about it."""
        now = self._now()  # as in _turn()
        if not now // MINUTE == self._minute == self.tally.minute:
            self._begin_minute(now)
        subject = question.subject
        repository = getattr(subject, "repository", None)
        alike = (
            question.client.address,
            user,
            type(subject),
            question.method == "HEAD",
            None if repository is None else repository.name,
        )
        charge = self._charges.get(alike) or self._new_charge(alike, question, user)
        day, minute = self._day_shares, self._minute_shares
        if self._is_plain and day.used < day.ceiling and minute.used < minute.ceiling:
            day.used += 1  # the plain way
            minute.used += 1
        else:  # the full one
            refusal = self._decide(charge.spender, now)
            if refusal is not None:
                is_final = self._rules.on_exhausted == "refuse"
                return self._refused(charge, refusal, is_final=is_final)
        self._row[ADMITTED] += 1
        note = charge.note
        note.requests += 1
        if not note.is_open:
            note.open()
        used = self._ledger.add(self._today)
        if used >= self._warn_at:
            self._tell(used)
        return charge

    def refuse(self, question: Question, refusal: RegistryError) -> Charge:
        """``question`` is refused by a rule of this mirror's: it spends nothing."""
        self._turn()
        alike = _alike(question, None)
        charge = self._charges.get(alike) or self._new_charge(alike, question, None)
        return self._refused(charge, refusal, is_final=True)

    def pulled(self, spender: Spender, question: Question) -> None:
        """Docker Hub has counted a pull, for which this client asked."""
        self._turn()
        self._row[PULLS] += 1
        self.pulls.counted(spender, question)
        for account in self._book.of(spender, repository_of(question)):
            account.pulls += 1

    def lease(self) -> None:
        """Take over what was spent elsewhere, and lease anew what may be."""
        leases = self._leases
        if leases is None:
            return
        self._turn()
        self._collect()
        day, minute = self._day_shares, self._minute_shares
        before, free = leases.outstanding, min(day.ceiling - day.used, minute.ceiling - minute.used)
        leases.renew(max(0, free) if self._is_plain else 0)
        more = leases.outstanding - before
        day.used += more
        minute.used += more

    def absorb(self, spendings: Iterable[Spending]) -> None:
        """Bring into the accounts what was spent elsewhere; it has been counted otherwise."""
        self._turn()
        for one in spendings:
            spender = self._spenders.of(one.address, one.user)
            note = Note(spender, one.repository, self._notes)
            note.requests, note.bytes_in = one.requests, one.bytes_in
            note.bytes_out = one.bytes_out
            note.open()

    def settle(self) -> None:
        """Bring what was counted into the history and the accounts: to be called each second."""
        self._turn()
        self._collect()
        self._count_notes()
        self.tally.settle()

    def day(self) -> WindowStatus:
        """The day as it stands."""
        now = self._turn()
        self._collect()
        return _status(self._rules.per_day, self._ledger.used(self._today), end_of(now, DAY))

    def minute(self) -> WindowStatus:
        """The minute as it stands."""
        now = self._turn()
        self._collect()
        used = self._minute_shares.used - self._leased
        return _status(self._rules.per_minute, used, end_of(now, MINUTE))

    def reserves(self) -> list[ReserveStatus]:
        """The reserves of the day."""
        self._turn()
        shares = self._day_shares
        return [
            ReserveStatus(reserve.name, size, spent)
            for reserve, size, spent in zip(
                shares.reserves, shares.sizes, shares.spent, strict=True
            )
        ]

    def top(self, dimension: Dimension, count: int) -> list[Entry]:
        """Today's busiest."""
        self._turn()
        self._count_notes()
        return self._book.accounts[dimension].top(count)

    def network_of(self, address: str) -> str | None:
        """The operator's name for the network that holds ``address``."""
        return self._spenders.network_of(address.partition("/")[0])

    def take_changes(self) -> list[tuple[int, list[Entry]]]:
        """The days and the entries that have changed since the last call, for the books."""
        self._count_notes()
        taken = [(day, book.take_changes()) for day, book in self._at_hand.items()]
        return [(day, entries) for day, entries in taken if entries]

    def _set_rules(self, rules: Rules, now: float) -> None:
        self._rules = self.pulls.rules = rules
        self._spenders = Spenders(rules.networks)
        self._charges.clear()
        self._of_user = {one.user: one for one in rules.clients if one.user is not None}
        self._of_network = {one.network: one for one in rules.clients if one.network is not None}
        nobody = (one for one in rules.clients if one.user is None and one.network is None)
        self._of_address = next(nobody, None)
        self._is_plain = not (rules.clients or rules.reserves)
        self._begin_day(day_of(now))
        self._begin_minute(now)

    def _turn(self) -> float:
        """See whether it is another minute, perhaps another day; what time it is."""
        now = self._now()
        if not now // MINUTE == self._minute == self.tally.minute:
            self._begin_minute(now)
        return now

    @property
    def _leased(self) -> int:
        return 0 if self._leases is None else self._leases.outstanding

    def _collect(self) -> None:
        """Count what was spent elsewhere; the windows' shares have held it as used already."""
        if self._leases is None:
            return
        counted = self._leases.collect()
        if not any(counted):
            return
        for column in range(WIDTH):
            self._row[column] += counted[column]
        used = self._ledger.add(self._today, counted[ADMITTED])
        if self._is_told and used >= self._warn_at:
            self._tell(used)

    def _begin_minute(self, now: float) -> None:
        """A minute begins, or goes on: after a restart, or when a clock was set back."""
        self._collect()
        self._count_notes()
        self._minute = minute = int(now // MINUTE)
        self.tally.turn(minute)
        if day_of(now) != self._today:
            self._begin_day(day_of(now))
        known = self._book.by_spender(
            lambda account: account.minute_requests if account.minute == minute else 0
        )
        self._minute_shares = Shares(self._rules.per_minute, self._rules.reserves)
        self._minute_shares.restore(self.tally.in_minute().admitted, known)
        self._minute_shares.used += self._leased

    def _begin_day(self, day: int) -> None:
        """The same of a day. What is not known to be some member's is nobody's but the day's."""
        self._today = day
        self._book = self._book_of(day)
        self._day_shares = Shares(self._rules.per_day, self._rules.reserves)
        used = self._ledger.used(day)
        self._day_shares.restore(used, self._book.by_spender(lambda account: account.requests))
        self._day_shares.used += self._leased
        self._will_warn([one for one in WARNED_AT if used < self._count_at(one)])

    def _book_of(self, day: int) -> Book:
        book = self._at_hand.pop(day, None) or Book(self._books.load(day))
        self._at_hand[day] = book
        if len(self._at_hand) > DAYS_AT_HAND:
            oldest = next(iter(self._at_hand))
            self._books.save(oldest, self._at_hand.pop(oldest).take_changes())
        return book

    def _count_notes(self) -> None:
        if self._notes:
            self._book.count(self._notes, self._minute)

    def _new_charge(self, alike: _Alike, question: Question, user: str | None) -> Charge:
        if len(self._charges) >= REMEMBERED:
            self._count_notes()
            self._charges.clear()
        spender = self._spenders.of(question.client.address, user)
        note = Note(spender, repository_of(question), self._notes)
        charge = self._charges[alike] = Charge(spender, kind_of(question), note, self._row)
        return charge

    def _refused(self, charge: Charge, refusal: RegistryError, *, is_final: bool) -> Charge:
        """``charge``, for a request that is refused."""
        note = charge.note
        note.refused += 1
        if not note.is_open:
            note.open()
        return Charge(charge.spender, charge.kind, note, self._row, refusal, is_final)

    def _decide(self, spender: Spender, now: float) -> TooManyRequests | None:
        """Why ``spender`` may not, by any rule; where it may, the windows' shares have paid.

        The full way: where there is room for all, and no rule for some, it comes to what the
        plain way does.
        """
        if self._rules.clients:
            self._count_notes()
        day, minute = self._day_shares, self._minute_shares
        payers = day.payer(spender), minute.payer(spender)
        refusal = self._refusal(spender, payers, now)
        if refusal is None:
            day.charge(payers[0])
            minute.charge(payers[1])
        return refusal

    def _refusal(
        self, spender: Spender, payers: tuple[int | None, int | None], now: float
    ) -> TooManyRequests | None:
        """Where several limits are spent, the one that lasts longest is told."""
        if self._rules.on_exhausted == "count":
            return None
        own, shared = self._own_spent(spender), self._shared_spent(payers)
        spent = [one for one in (own, shared) if one is not None]
        if not spent:
            return None
        return refused(max(spent, key=lambda one: one.policy.window), now)

    def _own_spent(self, spender: Spender) -> Spent | None:
        own = self._own_limits(spender)
        if own is None:
            return None
        limits, account = own
        account.turn(self._minute)
        policy = spent_policy(limits, account)
        return None if policy is None else Spent(policy, client_policies(limits))

    def _own_limits(self, spender: Spender) -> tuple[ClientLimits, Account] | None:
        """The most specific limits that hold for ``spender``, and what counts against them."""
        if spender.user in self._of_user:
            return self._of_user[spender.user], self._book.users.of(spender.user)
        if spender.network in self._of_network:
            return self._of_network[spender.network], self._book.networks.of(spender.network)
        if self._of_address is not None:
            return self._of_address, self._book.addresses.of(spender.address)
        return None

    def _shared_spent(self, payers: tuple[int | None, int | None]) -> Spent | None:
        if None not in payers:
            return None
        day, minute = self._day_shares, self._minute_shares
        shares, window = (day, DAY) if payers[0] is None else (minute, MINUTE)
        return Spent(
            Policy(shares.limit, window),
            window_policies(day.limit, minute.limit),
            is_rest_reserved=shares.used < shares.limit,
        )

    def _count_at(self, percent: int) -> int:
        """The count that is ``percent`` of the day's limit, or just more."""
        return -(-percent * self._rules.per_day // 100)

    def _will_warn(self, percents: list[int]) -> None:
        """When the next of ``percents`` is to be told, and that these are to be told."""
        self._unsaid = percents
        self._warn_at = self._count_at(percents[0]) if percents else ENDLESS

    def _tell(self, used: int) -> None:
        """Tell what has been reached. Who is told may look at the quota."""
        reached = [one for one in self._unsaid if used >= self._count_at(one)]
        self._will_warn(self._unsaid[len(reached) :])
        for percent in reached:
            self._warn(percent)


def repository_of(question: Question) -> str | None:
    """The repository under which ``question`` is counted."""
    repository = getattr(question.subject, "repository", None)
    return None if repository is None else repository.name


def _alike(question: Question, user: str | None) -> _Alike:
    """As ``Quota.admit`` has it, which has no time for a call."""
    subject, repository = question.subject, repository_of(question)
    return question.client.address, user, type(subject), question.method == "HEAD", repository


def _status(limit: int, used: int, reset: datetime) -> WindowStatus:
    remaining = max(0, limit - used) if limit else None
    return WindowStatus(limit, used, remaining, reset)
