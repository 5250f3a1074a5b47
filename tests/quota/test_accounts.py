"""Accounts: the busiest exactly, the rest summed, in memory that has bounds."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable

from hubmirror.quota import accounts as module
from hubmirror.quota.accounts import (
    BUSIEST,
    OTHERS,
    Account,
    Accounts,
    Book,
    Dimension,
    Entry,
    Note,
)
from hubmirror.quota.books import is_spent
from hubmirror.quota.spender import Spender

ADDRESS = Dimension.ADDRESS
MINUTE = 29_454_480


def note(requests: int = 0, refused: int = 0, bytes_in: int = 0, bytes_out: int = 0) -> Note:
    """One that waits for nothing."""
    return Note(Spender("192.0.2.1"), None, [], requests, refused, bytes_in, bytes_out)


def ask(accounts: Accounts, name: str, times: int = 1) -> Account:
    """``times`` requests of ``name``, let through."""
    for _ in range(times):
        accounts.of(name).count(note(requests=1), MINUTE)
    return accounts.of(name)


def asked(spender: Spender, repository: str | None, times: int) -> list[Note]:
    """``times`` requests of ``spender``, on a note that waits."""
    waiting: list[Note] = []
    made = Note(spender, repository, waiting, requests=times)
    made.open()
    return waiting


def crowd(accounts: Accounts, count: int, first: int = 0) -> None:
    """One request from each of ``count`` addresses."""
    for number in range(first, first + count):
        ask(accounts, f"2001:db8:{number:x}::/64")


def kept(*batches: Iterable[Entry]) -> dict[str, Entry]:
    """What a store has after it has kept these, one batch after another."""
    entries = {entry.name: entry for batch in batches for entry in batch}
    return {name: entry for name, entry in entries.items() if is_spent(entry)}


def requests_in(entries: Iterable[Entry]) -> int:
    """All that they tell, together."""
    return sum(entry.requests for entry in entries)


def restored(entries: Iterable[Entry]) -> Accounts:
    """Accounts of a new process that finds ``entries``."""
    accounts = Accounts(ADDRESS)
    for entry in entries:
        accounts.restore(entry)
    return accounts


def test_an_account_counts_the_day_and_the_minute() -> None:
    """Another minute begins at nothing, also an earlier one; the day goes on."""
    account = Account()
    account.count(note(requests=1), MINUTE)
    account.count(note(bytes_in=10, bytes_out=20), MINUTE)
    assert (account.minute_requests, account.minute_bytes) == (1, 30)
    account.count(note(bytes_in=1, bytes_out=2), MINUTE + 1)
    assert (account.minute_requests, account.minute_bytes) == (0, 3)
    account.count(note(requests=2, refused=4), MINUTE)
    assert (account.minute_requests, account.minute_bytes) == (2, 0)
    assert (account.requests, account.refused) == (3, 4)
    assert (account.bytes_in, account.bytes_out) == (11, 22)


def test_the_busiest_come_first() -> None:
    """Refused requests make a client busy, too; bytes decide between equals."""
    accounts = Accounts(ADDRESS)
    ask(accounts, "quiet")
    ask(accounts, "busy", 3)
    accounts.of("refused").refused = 5
    ask(accounts, "heavy").bytes_out = 7
    assert [entry.name for entry in accounts.top(4)] == ["refused", "busy", "heavy", "quiet"]
    assert accounts.top(2)[1] == Entry(ADDRESS, "busy", requests=3)


def test_an_entry_is_told_under_its_dimensions_name() -> None:
    """As monitoring has it."""
    assert Entry(Dimension.NETWORK, "ci", 1, 2, 3, 4, 5).as_json() == {
        "network": "ci",
        "requests": 1,
        "refused": 2,
        "bytes_in": 3,
        "bytes_out": 4,
        "pulls": 5,
    }


def test_only_what_has_changed_is_taken() -> None:
    """All of it the first time, then nothing until something does; a look changes nothing."""
    accounts = Accounts(ADDRESS)
    ask(accounts, "a", 2)
    ask(accounts, "b")
    assert kept(accounts.take_changes()) == {
        "a": Entry(ADDRESS, "a", requests=2),
        "b": Entry(ADDRESS, "b", requests=1),
    }
    accounts.top(10)
    assert accounts.take_changes() == []
    ask(accounts, "b")
    assert accounts.take_changes() == [Entry(ADDRESS, "b", requests=2)]


def test_what_is_restored_has_not_changed() -> None:
    """A start writes nothing back, and counts on from there."""
    accounts = restored([Entry(ADDRESS, "a", 3, 1, 10, 20, 2)])
    assert accounts.take_changes() == []
    ask(accounts, "a")
    assert accounts.take_changes() == [Entry(ADDRESS, "a", 4, 1, 10, 20, 2)]


def test_the_busiest_are_exact_whatever_comes() -> None:
    """As many as are promised, while very many others pass by; nothing is lost in the sum."""
    accounts = Accounts(ADDRESS)
    for number in range(BUSIEST):
        ask(accounts, f"busy{number}", 2 + number % 3)
    crowd(accounts, 50_000)
    entries = kept(accounts.take_changes())
    assert all(entries[f"busy{number}"].requests == 2 + number % 3 for number in range(BUSIEST))
    assert requests_in(entries.values()) == 50_000 + sum(2 + n % 3 for n in range(BUSIEST))
    assert len(entries) <= BUSIEST + module.SLACK + 1


def test_memory_has_bounds() -> None:
    """However many addresses come, and whether or not anybody takes what has changed."""
    accounts = Accounts(ADDRESS)
    tracemalloc.start()
    try:
        crowd(accounts, 13_500)
        before = tracemalloc.get_traced_memory()[0]
        crowd(accounts, 11_000, 13_500)
        assert tracemalloc.get_traced_memory()[0] < before + 1_500_000
    finally:
        tracemalloc.stop()
    crowd(accounts, 175_500, 24_500)
    assert sum(1 for _ in accounts.items()) <= BUSIEST + module.SLACK
    assert len(accounts.take_changes()) <= BUSIEST + module.SLACK + 1


def test_what_was_saved_and_then_summed_counts_once() -> None:
    """The sum holds it, and its own entry becomes one of zeros: also for who dies in between."""
    accounts = Accounts(ADDRESS)
    crowd(accounts, 5_000)
    batches = [accounts.take_changes()]
    for first in range(5_000, 30_000, 5_000):
        crowd(accounts, 5_000, first)
        batches.append(accounts.take_changes())
        entries = kept(*batches)
        assert requests_in(entries.values()) == first + 5_000
        again = restored(entries.values())
        ask(again, "one more")
        assert requests_in(kept(*batches, again.take_changes()).values()) == first + 5_001


def test_who_comes_back_after_being_summed_counts_on() -> None:
    """Entries add up; what limits count is what was spent in all."""
    accounts = Accounts(ADDRESS)
    account = ask(accounts, "back", 3)
    account.count(note(bytes_in=100, bytes_out=900), MINUTE)
    for number in range(2 * BUSIEST):
        ask(accounts, f"busy{number}", 4)
    account = ask(accounts, "back", 2)
    assert account.requests == 2
    assert account.requests + account.assumed >= 5
    assert account.bytes_out + account.assumed_bytes >= 1000
    for number in range(2 * BUSIEST):
        ask(accounts, f"busier{number}", 5)
    account = ask(accounts, "back")
    assert account.requests == 1
    assert account.requests + account.assumed >= 6
    total = requests_in(kept(accounts.take_changes()).values())
    assert total == 6 + 2 * BUSIEST * 9


def test_who_was_never_there_is_hardly_held_for_others() -> None:
    """After 100,000 others with a gigabyte each a new client has nearly all of its limit."""
    accounts = Accounts(ADDRESS)
    for number in range(100_000):
        account = ask(accounts, f"address{number}")
        account.count(note(bytes_out=10**9), MINUTE)
    newcomers = [accounts.of(f"new{number}") for number in range(1_000)]
    assert sum(one.assumed for one in newcomers) / 1_000 < 2
    assert sum(one.assumed_bytes for one in newcomers) / 1_000 < 2 * 10**9


def test_the_sum_of_the_others_survives_a_restart() -> None:
    """It is an entry as any other, but nobody's account."""
    before = [Entry(ADDRESS, OTHERS, requests=7), Entry(ADDRESS, "a", requests=1)]
    accounts = restored(before)
    assert [entry.name for entry in accounts.top(10)] == ["a"]
    crowd(accounts, BUSIEST + 2 * module.SLACK)
    after = kept(before, accounts.take_changes())
    assert requests_in(after.values()) == 8 + BUSIEST + 2 * module.SLACK


def test_a_request_is_in_all_accounts_that_it_concerns() -> None:
    """Address, network, user, both together, repository: what there is of it."""
    book = Book()
    book.count(asked(Spender("10.1.0.1", "ci", "alice"), "library/busybox", 1), MINUTE)
    book.count(asked(Spender("192.0.2.1"), None, 1), MINUTE)
    assert sorted((entry.dimension.name, entry.name) for entry in book.take_changes()) == [
        ("ADDRESS", "10.1.0.1"),
        ("ADDRESS", "192.0.2.1"),
        ("NETWORK", "ci"),
        ("NETWORK_USER", "ci/alice"),
        ("REPOSITORY", "library/busybox"),
        ("USER", "alice"),
    ]


def test_what_is_on_a_note_counts_once() -> None:
    """It is blank afterwards, and can be used again."""
    book, waiting = Book(), list[Note]()
    notes = [Note(Spender(f"192.0.2.{number}"), "library/busybox", waiting) for number in range(2)]
    for times in (1, 2):
        for one in notes:
            one.requests, one.refused, one.bytes_in, one.bytes_out = times, 1, 10, 100
            one.open()
        book.count(waiting, MINUTE)
        assert not waiting
        assert not any(one.is_open or one.requests or one.bytes_out for one in notes)
    [entry] = book.accounts[Dimension.REPOSITORY].top(9)
    assert entry == Entry(Dimension.REPOSITORY, "library/busybox", 6, 4, 40, 400)
    assert [one.requests for one in book.addresses.top(9)] == [3, 3]


def test_each_request_is_some_spenders_once() -> None:
    """Of a user in a network neither the user's nor the network's account alone can tell."""
    book = Book()
    spenders = [
        (Spender("10.1.0.1", "ci", "alice/b"), 3),
        (Spender("10.1.0.2", "ci"), 5),
        (Spender("192.0.2.1", None, "alice/b"), 7),
        (Spender("192.0.2.2"), 11),
    ]
    for spender, times in spenders:
        book.count(asked(spender, None, times), MINUTE)
    restored = Book(book.take_changes())
    for one in (book, restored):
        told = [pair for pair in one.by_spender(lambda account: account.requests) if pair[1]]
        assert told == [
            (Spender("", "ci", "alice/b"), 3),
            (Spender("", "ci"), 5),
            (Spender("", user="alice/b"), 7),
        ]
