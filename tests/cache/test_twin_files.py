"""Two files that say the same: one may go, lag, or be damaged anywhere."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from twisted.logger import LogLevel, capturedLogs

from hubmirror.cache.errors import StoreFailed
from hubmirror.cache.index_file import IndexFile
from hubmirror.cache.interfaces import Listing
from hubmirror.cache.rows import BLOBS, LINKS, LISTINGS, TAGS, Change, Drop, dropped_blob
from hubmirror.cache.schema import VERSION, IndexTooNew
from hubmirror.cache.twin_files import TwinFiles
from tests.cache.indexes import (
    BUSYBOX,
    MANIFEST,
    NOW,
    change_byte,
    change_text,
    contents,
    digest,
    one_of_each,
    opened_files,
    paths_in,
    tag_entry,
    write,
)

BOTH = pytest.mark.parametrize("which", [0, 1], ids=["first", "copy"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two closed files with a row of each kind, written by several batches."""
    with opened_files(tmp_path) as files:
        for change in one_of_each():
            write(files, change)
    return tmp_path


@pytest.fixture
def expected(folder: Path) -> dict[str, list[Any]]:
    """What the folder's files hold."""
    with opened_files(folder) as files:
        found = contents(files)
    assert all(found.values())
    return found


def told(events: Sequence[Any]) -> list[str]:
    """The errors among logged events."""
    return [event["trouble"] for event in events if event["log_level"] is LogLevel.error]


def asides(folder: Path) -> list[str]:
    """The damaged files that were set aside."""
    return sorted(path.name for path in folder.glob("*.damaged-*"))


def copied(folder: Path, into: Path) -> Path:
    """The folder's files as a crash would leave them now."""
    into.mkdir()
    for path in folder.glob("index*"):
        shutil.copy(path, into)
    return into


def test_a_new_index_is_no_news(tmp_path: Path) -> None:
    """Nothing is logged and nothing set aside at the first start, nor at the second."""
    with capturedLogs() as events:
        for _ in range(2):
            with opened_files(tmp_path) as files:
                assert not any(contents(files).values())
    assert told(events) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index-copy.sqlite", "index.sqlite"]


def test_nothing_works_before_open(tmp_path: Path) -> None:
    """It fails in words, and closing is harmless."""
    files = TwinFiles(tmp_path)
    assert not files.is_open
    with pytest.raises(StoreFailed, match="not open"):
        files.select(TAGS)
    files.close()


@BOTH
def test_a_missing_file_comes_back(
    folder: Path, expected: dict[str, list[Any]], which: int
) -> None:
    """From the other one, with one line in the log."""
    paths_in(folder)[which].unlink()
    for news in (1, 0):
        with capturedLogs() as events, opened_files(folder) as files:
            assert contents(files) == expected
        assert len(told(events)) == news
    assert asides(folder) == []


@BOTH
@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"garbage" * 1000),
        lambda path: path.write_bytes(b"\0" * 100 + path.read_bytes()[100:]),
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
        lambda path: path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 60000),
    ],
    ids=["emptied", "garbage", "header", "cut", "pages"],
)
def test_a_damaged_file_is_made_anew(
    folder: Path, expected: dict[str, list[Any]], which: int, harm: Any
) -> None:
    """When it is opened or read; what it was is set aside, and the log tells once."""
    harm(paths_in(folder)[which])
    for news in (1, 0):
        with capturedLogs() as events, opened_files(folder) as files:
            assert contents(files) == expected
            write(files, *one_of_each())
        assert len(told(events)) == news
    assert asides(folder) == [f"{paths_in(folder)[which].name}.damaged-1"]


def test_both_damaged_is_an_empty_index(folder: Path) -> None:
    """It works on; nothing is thrown away that a person might look at."""
    for path in paths_in(folder):
        path.write_bytes(b"garbage" * 1000)
    with capturedLogs() as events, opened_files(folder) as files:
        assert not any(contents(files).values())
        write(files, *one_of_each())
        assert all(contents(files).values())
    assert len(told(events)) == 1
    assert len(asides(folder)) == 2


@BOTH
@pytest.mark.parametrize(
    "text", [MANIFEST, "library/busybox", "latest", str(digest("one")), '{"tags":[]}', "n=2"]
)
def test_a_changed_byte_in_a_row_is_mended(
    folder: Path, expected: dict[str, list[Any]], which: int, text: str
) -> None:
    """In a key or a value: found when the row is read, and told once."""
    change_text(paths_in(folder)[which], text)
    with capturedLogs() as events, opened_files(folder) as files:
        assert contents(files) == expected
        assert contents(files) == expected
    assert len(told(events)) == 1
    with capturedLogs() as events, opened_files(folder) as files:
        assert contents(files) == expected
    assert told(events) == []


def test_a_changed_byte_that_sqlite_does_not_see(folder: Path) -> None:
    """SQLite says ok: the seal is what finds it."""
    path = paths_in(folder)[0]
    change_text(path, MANIFEST)
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    file = IndexFile(path)
    assert not TAGS.is_intact(file.rows(TAGS)[0])
    file.close()


def test_a_row_that_is_damaged_in_both_is_dropped(
    folder: Path, expected: dict[str, list[Any]]
) -> None:
    """Never served; the others stay."""
    for path in paths_in(folder):
        change_text(path, '{"tags":[]}')
    with capturedLogs() as events, opened_files(folder) as files:
        assert contents(files) == {**expected, "listings": []}
        assert contents(files) == {**expected, "listings": []}
    assert len(told(events)) == 1


def test_each_file_mends_the_other(folder: Path, expected: dict[str, list[Any]]) -> None:
    """One row is damaged here, another one there: both come back."""
    first, copy = paths_in(folder)
    change_text(first, MANIFEST)
    change_text(copy, '{"tags":[]}')
    with opened_files(folder) as files:
        assert contents(files) == expected


@BOTH
def test_any_one_changed_byte_loses_nothing(
    folder: Path, expected: dict[str, list[Any]], which: int, tmp_path: Path
) -> None:
    """Wherever it is, but for SQLite's user version: that one may say "too new"."""
    data = paths_in(folder)[which].read_bytes()
    header = [at for at in range(100) if data[at] and not 60 <= at < 64]
    rows = [at for at in range(100, len(data)) if data[at]]
    chance = random.Random(which)  # noqa: S311 - places to try
    for offset in (*header, *chance.sample(rows, 60)):
        harmed = copied(folder, tmp_path / f"{offset}")
        change_byte(paths_in(harmed)[which], offset)
        with opened_files(harmed) as files:
            assert contents(files) == expected, offset
            write(files, TAGS.put(tag_entry("new", "new")))
            assert len(contents(files)["tags"]) == 2, offset


def test_damage_while_open_is_mended(folder: Path, expected: dict[str, list[Any]]) -> None:
    """Reads go on, and so do writes."""
    with opened_files(folder) as files:
        path = paths_in(folder)[0]
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (path.stat().st_size - 4096))
        assert contents(files) == expected
        write(files, Drop(TAGS.name, {"tag": "latest"}))
        assert files.select(TAGS) == []


class Power:
    """Cuts the process's life short between the two files, as seen by who opens them next."""

    def __init__(self, folder: Path, into: Path) -> None:
        self._folder = folder
        self.left = into

    def cut_within(self, changes: Sequence[Change]) -> None:
        """Do a batch whose second half never comes."""
        files = TwinFiles(self._folder)
        files.open()
        copy = files._files[1]
        original = copy.apply

        def apply(changes: Any, number: int) -> None:
            copied(self._folder, self.left)
            original(changes, number)

        copy.apply = apply  # type: ignore[method-assign]
        files.write([lambda _: changes])
        files.close()


@pytest.fixture
def power(folder: Path, tmp_path: Path) -> Power:
    """A cut after the first file's commit and before the second's."""
    return Power(folder, tmp_path / "after")


def numbers(folder: Path) -> Iterator[int | None]:
    """The files' last batches."""
    for path in paths_in(folder):
        file = IndexFile(path)
        yield file.number()
        file.close()


def test_a_file_that_lags_catches_up(power: Power) -> None:
    """What was put is there, what was dropped stays away, and no older value comes back."""
    power.cut_within(
        [
            TAGS.put(tag_entry("latest", "two")),
            LINKS.put(LINKS.record(LINKS.sealed((*_at(), "sha256:" + "0" * 64, None), 1))),
            *dropped_blob(str(digest("one"))),
        ]
    )
    with opened_files(power.left) as files, capturedLogs() as events:
        after = contents(files)
    assert after["tags"] == [tag_entry("latest", "two")]
    assert [str(link.digest) for link in after["links"]] == ["sha256:" + "0" * 64]
    assert after["blobs"] == []
    assert after["publicity"]
    assert told(events) == []
    assert len(set(numbers(power.left))) == 1


def test_a_second_opening_begins_anew(folder: Path, power: Power) -> None:
    """What was known of the files when they were closed need not be so any more."""
    files = TwinFiles(folder)
    files.open()
    files.close()
    power.cut_within([TAGS.put(tag_entry("latest", "two"))])
    for path in paths_in(power.left):
        shutil.copy(path, folder)
        shutil.copy(path.with_name(f"{path.name}-wal"), folder)
    with capturedLogs() as events:
        files.open()
        assert files.select(TAGS) == [tag_entry("latest", "two")]
    files.close()
    assert told(events) == []


def test_the_first_file_lost_while_ahead(power: Power, expected: dict[str, list[Any]]) -> None:
    """The batch was not acknowledged: the state before it is as right."""
    power.cut_within([TAGS.put(tag_entry("latest", "two"))])
    paths_in(power.left)[0].unlink()
    with opened_files(power.left) as files:
        assert contents(files) == expected


def test_a_damaged_row_of_the_file_that_lags(power: Power, folder: Path) -> None:
    """The newer value stays."""
    power.cut_within([TAGS.put(tag_entry("latest", "two"))])
    change_text(paths_in(power.left)[1], MANIFEST)
    with opened_files(power.left) as files:
        assert files.select(TAGS) == [tag_entry("latest", "two")]


def test_a_file_from_another_time_is_replaced(
    folder: Path, expected: dict[str, list[Any]], tmp_path: Path
) -> None:
    """Somebody put an old copy back: what was dropped since stays away."""
    old = copied(folder, tmp_path / "old")
    with opened_files(folder) as files:
        for change in dropped_blob(str(digest("one"))):
            write(files, change)
        after = contents(files)
    shutil.copy(paths_in(old)[1], paths_in(folder)[1])
    with opened_files(folder) as files:
        assert contents(files) == after
        assert after != expected


def test_a_full_disk_fails_the_batch_only(folder: Path) -> None:
    """One file has the batch, the other not: reads go on, and the next write levels them."""
    page = Listing(BUSYBOX, "", (), b" " * 100_000, NOW)
    with opened_files(folder) as files:
        copy = files._files[1]
        copy.query("PRAGMA max_page_count = 1")  # as many as there are: SQLite sees a full disk
        with pytest.raises(sqlite3.OperationalError, match="full"):
            write(files, LISTINGS.put(page), *dropped_blob(str(digest("one"))))
        assert files.select(BLOBS) == []
        with pytest.raises(sqlite3.OperationalError, match="full"):
            write(files, TAGS.put(tag_entry("latest", "two")))
        copy.query("PRAGMA max_page_count = 1000000")
        write(files, TAGS.put(tag_entry("latest", "two")))
        assert files.select(TAGS) == [tag_entry("latest", "two")]
        assert files.select(LINKS) == []
        assert page in files.select(LISTINGS)
    assert len(set(numbers(folder))) == 1


def test_a_plan_that_fails_changes_nothing(folder: Path, expected: dict[str, list[Any]]) -> None:
    """Its batch is rolled back whole, and the next one works."""

    def broken(_: IndexFile) -> Sequence[Change]:
        raise RuntimeError("a bug")

    with opened_files(folder) as files:
        with pytest.raises(RuntimeError):
            files.write([lambda _: [Drop(TAGS.name, {"tag": "latest"})], broken])
        assert contents(files) == expected
        write(files, Drop(TAGS.name, {"tag": "latest"}))
        assert files.select(TAGS) == []


def test_an_index_of_a_later_version_is_not_touched(folder: Path) -> None:
    """The message says what to do; each byte stays as it was."""
    for path in paths_in(folder)[1:]:
        connection = sqlite3.connect(path)
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
        connection.close()
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(IndexTooNew, match=r"index-copy.sqlite has version .* or a later one"):
        TwinFiles(folder).open()
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def _at() -> tuple[str, str]:
    return BUSYBOX.registry, BUSYBOX.name
