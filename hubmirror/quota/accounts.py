"""What each client, network, user and repository has spent of a day: the busiest exactly."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from heapq import nlargest
from typing import Final

from attrs import define, frozen

from hubmirror.quota.spender import Spender

__all__ = ["BUSIEST", "OTHERS", "Account", "Accounts", "Book", "Dimension", "Entry", "Note"]

#: How many accounts of a dimension are exact, and how many more may gather before the rest is
#: summed.
BUSIEST: Final = 10_000
SLACK: Final = 1_000
#: The name of the entry in which the rest is summed.
OTHERS: Final = ""
#: How many sums there are for those whose accounts are gone, in two rows: a power of two.
CELLS: Final = 1 << 16


class Dimension(Enum):
    """What accounts are kept of.

    ``NETWORK_USER`` is for the reserves: what a user spent in a named network is in the
    accounts of both, and must not count twice.
    """

    ADDRESS = "client"
    NETWORK = "network"
    USER = "user"
    REPOSITORY = "repository"
    NETWORK_USER = "network/user"


@frozen
class Entry:
    """One account as it is kept on the disk and told to people."""

    dimension: Dimension
    name: str
    requests: int = 0
    refused: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    pulls: int = 0

    def as_json(self) -> dict[str, object]:
        """The object that monitoring answers have for it."""
        return {
            self.dimension.value: self.name,
            "requests": self.requests,
            "refused": self.refused,
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "pulls": self.pulls,
        }


@define(eq=False)
class Note:
    """What ``spender`` has done with ``repository``, and no account says yet.

    It is used over and over: what is on it is counted in accounts by ``Book.count`` now and then,
    and it is blank again. ``is_open`` says that it waits for that, among the ``_waiting``; so who
    writes on a note opens it, where it is not open.
    """

    spender: Spender
    repository: str | None
    _waiting: list[Note]
    requests: int = 0
    refused: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    is_open: bool = False

    def open(self) -> None:
        """It is to be counted."""
        self.is_open = True
        self._waiting.append(self)

    def close(self) -> None:
        """It has been counted."""
        self.requests = self.refused = self.bytes_in = self.bytes_out = 0
        self.is_open = False


@define(eq=False)
class Account:
    """What one has spent today, and in the latest minute in which it asked.

    ``requests`` are those that were let through. ``assumed`` and ``assumed_bytes`` are what it
    may have spent before it was known; limits count them, people are not told. ``is_kept`` says
    that there is an entry of it on the disk, ``is_changed`` that one is going to be written.
    """

    requests: int = 0
    refused: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    pulls: int = 0
    minute: int = 0
    minute_requests: int = 0
    minute_bytes: int = 0
    assumed: int = 0
    assumed_bytes: int = 0
    is_kept: bool = False
    is_changed: bool = False

    @property
    def asked(self) -> int:
        """All of its requests: how busy it is."""
        return self.requests + self.refused

    def count(self, note: Note, minute: int) -> None:
        """What is on ``note`` was in ``minute``."""
        if self.minute != minute:
            self.turn(minute)
        self.requests += note.requests
        self.minute_requests += note.requests
        self.refused += note.refused
        self.bytes_in += note.bytes_in
        self.bytes_out += note.bytes_out
        self.minute_bytes += note.bytes_in + note.bytes_out

    def turn(self, minute: int) -> None:
        """It is ``minute`` now."""
        if self.minute != minute:
            self.minute, self.minute_requests, self.minute_bytes = minute, 0, 0

    def take_over(self, other: Account | Entry) -> None:
        """Add what ``other`` has spent of the day."""
        self.requests += other.requests
        self.refused += other.refused
        self.bytes_in += other.bytes_in
        self.bytes_out += other.bytes_out
        self.pulls += other.pulls


class Accounts:
    """The accounts of one dimension, by name.

    When there are too many, the least busy are summed in one. Who comes again after that is
    assumed to have spent what it had, and perhaps what some others had, but never less; a
    restart forgets that.
    """

    def __init__(self, dimension: Dimension) -> None:
        self._dimension = dimension
        self._accounts: dict[str, Account] = {}
        self._changed: set[str] = set()
        self._others = Account()
        self._gone: _Gone | None = None

    def of(self, name: str) -> Account:
        """The account of ``name``, which is about to change."""
        account = self._accounts.get(name) or self._begin(name)
        if not account.is_changed:
            account.is_changed = True
            self._changed.add(name)
        return account

    def items(self) -> Iterable[tuple[str, Account]]:
        """All names with their accounts, but for what is summed."""
        return self._accounts.items()

    def top(self, count: int) -> list[Entry]:
        """The busiest ``count``, the first before the others."""
        busiest = nlargest(
            count, self._accounts.items(), key=lambda pair: (pair[1].asked, pair[1].bytes_out)
        )
        return [self._entry(name) for name, _ in busiest]

    def restore(self, entry: Entry) -> None:
        """Take over what was spent before this process began."""
        account = self._others
        if entry.name != OTHERS:
            account = self._accounts.setdefault(entry.name, Account(is_kept=True))
        account.take_over(entry)

    def take_changes(self) -> list[Entry]:
        """What has changed since the last call, the sum of the others included.

        Who has gone into that sum has an entry of zeros: it is in there now, and counts once.
        """
        changed, self._changed = self._changed, set()
        for name in changed & self._accounts.keys():
            account = self._accounts[name]
            account.is_kept, account.is_changed = True, False
        return [self._entry(name) for name in changed]

    def _begin(self, name: str) -> Account:
        if len(self._accounts) >= BUSIEST + SLACK:
            self._sum_the_least()
        account = self._accounts[name] = Account()
        if self._gone is not None:
            account.assumed = self._gone.requests.of(name)
            account.assumed_bytes = self._gone.bytes.of(name)
        return account

    def _entry(self, name: str) -> Entry:
        account = self._others if name == OTHERS else self._accounts.get(name)
        if account is None:
            return Entry(self._dimension, name)
        return Entry(
            self._dimension,
            name,
            account.requests,
            account.refused,
            account.bytes_in,
            account.bytes_out,
            account.pulls,
        )

    def _sum_the_least(self) -> None:
        """Of equals the eldest go: who has just come may become busy yet."""
        ranked = sorted(self._accounts.items(), key=lambda pair: pair[1].asked)
        leaving = len(ranked) - BUSIEST
        self._accounts = dict(ranked[leaving:])
        self._gone = self._gone or _Gone()
        for name, account in ranked[:leaving]:
            self._others.take_over(account)
            self._gone.add(name, account)
            if account.is_kept:
                self._changed.add(name)
            else:
                self._changed.discard(name)
        self._changed.add(OTHERS)


class Book:
    """The accounts of one day, of all dimensions."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.accounts: Mapping[Dimension, Accounts] = {each: Accounts(each) for each in Dimension}
        self.addresses = self.accounts[Dimension.ADDRESS]
        self.networks = self.accounts[Dimension.NETWORK]
        self.users = self.accounts[Dimension.USER]
        self._repositories = self.accounts[Dimension.REPOSITORY]
        self._network_users = self.accounts[Dimension.NETWORK_USER]
        for entry in entries:
            self.accounts[entry.dimension].restore(entry)

    def of(self, spender: Spender, repository: str | None) -> list[Account]:
        """All accounts that what ``spender`` does with ``repository`` is counted in."""
        found = [self.addresses.of(spender.address)]
        network, user = spender.network, spender.user
        if network is not None:
            found.append(self.networks.of(network))
        if user is not None:
            found.append(self.users.of(user))
            if network is not None:
                found.append(self._network_users.of(f"{network}/{user}"))
        if repository is not None:
            found.append(self._repositories.of(repository))
        return found

    def count(self, notes: list[Note], minute: int) -> None:
        """Count what is on ``notes``, all of it in ``minute``, and close them: none is left there.

        Many at once cost little: the accounts' code and data are in the processor's caches then.
        """
        for note in notes:
            for account in self.of(note.spender, note.repository):
                account.count(note, minute)
            note.close()
        notes.clear()

    def by_spender(self, amount: Callable[[Account], int]) -> Iterator[tuple[Spender, int]]:
        """The ``amount`` of each network and user, of all addresses together: each counts once."""
        networks = {name: amount(account) for name, account in self.networks.items()}
        users = {name: amount(account) for name, account in self.users.items()}
        for name, account in self._network_users.items():
            network, _, user = name.partition("/")
            both = amount(account)
            networks[network] = networks.get(network, 0) - both
            users[user] = users.get(user, 0) - both
            yield Spender("", network, user), both
        for name, left in networks.items():
            yield Spender("", name), max(0, left)
        for name, left in users.items():
            yield Spender("", user=name), max(0, left)

    def take_changes(self) -> list[Entry]:
        """What has changed since the last call."""
        return [entry for one in self.accounts.values() for entry in one.take_changes()]


class _Sums:
    """Amounts by name in a fixed space: a sum for all names with the same hash.

    Each row has hashes of its own, so the least of a name's sums is seldom much too high. The
    hashes are this process's secret: nobody can look for names that share somebody's.
    """

    def __init__(self) -> None:
        self._rows = [array("Q", bytes(8 * CELLS)) for _ in range(2)]

    def add(self, name: str, amount: int) -> None:
        """``amount`` more for ``name``."""
        for number, row in enumerate(self._rows):
            row[hash((number, name)) % CELLS] += amount

    def of(self, name: str) -> int:
        """As much as was added for ``name``, or more."""
        return min(row[hash((number, name)) % CELLS] for number, row in enumerate(self._rows))


class _Gone:
    """What they had spent whose accounts were summed."""

    def __init__(self) -> None:
        self.requests = _Sums()
        self.bytes = _Sums()

    def add(self, name: str, account: Account) -> None:
        """The account of ``name`` is no more."""
        self.requests.add(name, account.requests)
        self.bytes.add(name, account.bytes_in + account.bytes_out)
