"""Stores of accounts: one contract for all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from zope.interface.verify import verifyObject

from hubmirror.quota.accounts import OTHERS, Dimension, Entry
from hubmirror.quota.books import MOST_ACCOUNTS, IBookStore, MemoryBooks
from hubmirror.quota.books_file import FileBooks

TODAY = 20454

CLIENT = Entry(Dimension.ADDRESS, "192.0.2.1", 1, 2, 3, 4, 5)
USER = Entry(Dimension.USER, "192.0.2.1", 6, 7, 8, 9, 10)


def sorted_entries(entries: Iterable[Entry]) -> list[Entry]:
    """In an order that does not depend on the store."""
    return sorted(entries, key=lambda entry: (entry.dimension.value, entry.name))


class BooksContract:
    """What any store does; ``is_flushing`` is whether it is flushed after each time it saves."""

    is_flushing = False

    @pytest.fixture
    def books(self, tmp_path: Path) -> Iterator[IBookStore]:
        """An empty store."""
        raise NotImplementedError

    def save(self, books: IBookStore, day: int, *entries: Entry) -> None:
        """Save, and flush where this is the contract of what is flushed."""
        books.save(day, entries)
        if self.is_flushing:
            books.flush()

    def test_provides_the_interface(self, books: IBookStore) -> None:
        """Signatures are those of ``IBookStore``."""
        assert verifyObject(IBookStore, books)

    def test_begins_empty(self, books: IBookStore) -> None:
        """A day that nothing was saved of has no entries."""
        books.flush()
        assert books.load(TODAY) == []

    def test_gives_back_what_was_saved(self, books: IBookStore) -> None:
        """All numbers; one name in two dimensions is two accounts."""
        self.save(books, TODAY, USER, CLIENT)
        assert sorted_entries(books.load(TODAY)) == [CLIENT, USER]

    @pytest.mark.parametrize("dimension", Dimension)
    def test_keeps_every_dimension(self, books: IBookStore, dimension: Dimension) -> None:
        """And the sum of its others."""
        entries = [Entry(dimension, OTHERS, 1), Entry(dimension, "name", 2)]
        self.save(books, TODAY, *entries)
        assert sorted_entries(books.load(TODAY)) == entries

    def test_the_latest_of_a_name_counts(self, books: IBookStore) -> None:
        """It is not added; accounts that are not saved again stay."""
        self.save(books, TODAY, CLIENT, USER)
        latest = Entry(Dimension.ADDRESS, CLIENT.name, 9)
        self.save(books, TODAY, latest)
        assert sorted_entries(books.load(TODAY)) == [latest, USER]

    def test_an_entry_of_zeros_is_no_more(self, books: IBookStore) -> None:
        """Its account was summed up with the others."""
        self.save(books, TODAY, CLIENT, USER)
        self.save(books, TODAY, Entry(Dimension.ADDRESS, CLIENT.name))
        assert books.load(TODAY) == [USER]

    def test_days_are_apart(self, books: IBookStore) -> None:
        """Midnight, and a clock that steps back over it."""
        tomorrows = Entry(Dimension.ADDRESS, CLIENT.name, 9)
        self.save(books, TODAY, CLIENT)
        self.save(books, TODAY + 1, tomorrows)
        self.save(books, TODAY, USER)
        assert sorted_entries(books.load(TODAY)) == [CLIENT, USER]
        assert books.load(TODAY + 1) == [tomorrows]

    @pytest.mark.parametrize("step", [-10_000, -2, -1, 1, 2, 10_000, 2**70, -(2**70)])
    def test_a_clock_that_steps_finds_its_day(self, books: IBookStore, step: int) -> None:
        """Neither the day that it leaves nor the one that it comes to is dropped."""
        self.save(books, TODAY, CLIENT)
        self.save(books, TODAY + step, USER)
        assert books.load(TODAY) == [CLIENT]
        assert books.load(TODAY + step) == [USER]

    def test_days_that_are_over_are_dropped(self, books: IBookStore) -> None:
        """Two are kept: those that were saved last."""
        for day in range(TODAY, TODAY + 5):
            self.save(books, day, CLIENT)
        assert [len(books.load(day)) for day in range(TODAY, TODAY + 5)] == [0, 0, 0, 1, 1]

    def test_the_days_that_were_saved_last_are_kept(self, books: IBookStore) -> None:
        """Not those with the highest numbers, nor those that were there first."""
        for day in (TODAY, TODAY + 9, TODAY, TODAY + 1):
            self.save(books, day, CLIENT)
        days = (TODAY, TODAY + 1, TODAY + 9)
        assert [len(books.load(day)) for day in days] == [1, 1, 0]

    def test_saving_nothing_drops_nothing(self, books: IBookStore) -> None:
        """A day without changes is no reason to forget another."""
        self.save(books, TODAY, CLIENT)
        self.save(books, TODAY + 1, USER)
        self.save(books, TODAY + 2)
        assert (books.load(TODAY), books.load(TODAY + 1)) == ([CLIENT], [USER])

    @pytest.mark.parametrize("name", ["ünïcödé", "a\0b", "\udcff", "x" * 10_000, "'; --", "\n"])
    def test_any_name_is_kept(self, books: IBookStore, name: str) -> None:
        """A client may call itself anything."""
        entry = Entry(Dimension.USER, name, 1)
        self.save(books, TODAY, entry)
        assert books.load(TODAY) == [entry]

    def test_the_least_busy_are_dropped(self, books: IBookStore) -> None:
        """Where there are too many; never the sum of the others, nor another dimension's."""
        entries = [
            Entry(Dimension.ADDRESS, f"{number:05}", number // 2 + 1, number % 2)
            for number in range(MOST_ACCOUNTS + 10)
        ]
        others = Entry(Dimension.ADDRESS, OTHERS, 1)
        self.save(books, TODAY, others, USER, *entries[:11])
        self.save(books, TODAY, *entries[11:])
        expected = [others, *entries[11:], USER]
        assert sorted_entries(books.load(TODAY)) == expected


class TestMemoryBooks(BooksContract):
    """The contract, in memory."""

    @pytest.fixture
    def books(self, tmp_path: Path) -> IBookStore:
        return MemoryBooks()


class TestFileBooks(BooksContract):
    """The contract, in a file that is not written yet."""

    @pytest.fixture
    def books(self, tmp_path: Path) -> Iterator[IBookStore]:
        books = FileBooks(tmp_path / "books")
        yield books
        books.close()


class TestFlushedBooks(TestFileBooks):
    """The contract, in a file."""

    is_flushing = True
