"""A new file from what is right in others."""

from __future__ import annotations

from pathlib import Path

from hubmirror.cache.index_file import IndexFile
from hubmirror.cache.mending import copy_file, merge, put_in_place, set_aside
from hubmirror.cache.rows import BATCH, TAGS, Change
from tests.cache.indexes import change_text, digest, tag_entry


def made(path: Path, number: int, *changes: Change) -> IndexFile:
    """A file that one batch wrote."""
    file = IndexFile(path)
    with file.transaction():
        file.apply([*changes, BATCH.put(())], number)
    return file


def test_of_each_row_the_latest_intact_one(tmp_path: Path) -> None:
    """From whichever file has it; the number is the latest, too."""
    paths = [tmp_path / name for name in ("a", "b", "merged")]
    made(paths[0], 7, TAGS.put(tag_entry("x", "new")), TAGS.put(tag_entry("y", "bad"))).close()
    made(paths[1], 6, TAGS.put(tag_entry("x", "old")), TAGS.put(tag_entry("y", "y"))).close()
    change_text(paths[0], str(digest("bad")))
    sources = [IndexFile(path) for path in paths[:2]]
    assert merge(paths[2], sources) == paths[:1]
    merged = IndexFile(paths[2])
    assert merged.records(TAGS, {}) == [tag_entry("x", "new"), tag_entry("y", "y")]
    assert merged.number() == 7
    for file in (*sources, merged):
        file.close()


def test_of_nothing_an_empty_file(tmp_path: Path) -> None:
    """What an earlier merge left unfinished is gone."""
    path = tmp_path / "merged"
    path.write_bytes(b"half")
    path.with_name("merged-wal").write_bytes(b"half")
    assert merge(path, []) == []
    merged = IndexFile(path)
    assert (merged.number(), merged.rows(TAGS)) == (0, [])
    merged.close()


def test_a_lost_number_is_found_in_the_rows(tmp_path: Path) -> None:
    """Later batches must not look older than rows that are there."""
    source = IndexFile(tmp_path / "a")
    with source.transaction():
        source.apply([TAGS.put(tag_entry("x", "x"))], 9)
    merge(tmp_path / "merged", [source])
    merged = IndexFile(tmp_path / "merged")
    assert merged.number() == 9
    for file in (source, merged):
        file.close()


def test_takes_the_place_of_a_file(tmp_path: Path) -> None:
    """An old log beside it would be read into the new file: it goes."""
    path, new = tmp_path / "index.sqlite", tmp_path / "index.new"
    path.write_bytes(b"old")
    path.with_name("index.sqlite-wal").write_bytes(b"old")
    new.write_bytes(b"new")
    put_in_place(new, path)
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [
        ("index.sqlite", b"new")
    ]


def test_damaged_files_are_kept_nine_at_most(tmp_path: Path) -> None:
    """With their logs; then the last one is replaced."""
    path = tmp_path / "index.sqlite"
    for number in range(11):
        path.write_bytes(b"%d" % number)
        path.with_name("index.sqlite-wal").write_bytes(b"%d" % number)
        aside = set_aside(path)
        assert aside.name == f"index.sqlite.damaged-{min(number + 1, 9)}"
        assert aside.with_name(f"{aside.name}-wal").read_bytes() == b"%d" % number
    assert len(list(tmp_path.iterdir())) == 18


def test_a_copy_is_the_same(tmp_path: Path) -> None:
    """Over whatever was there."""
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(bytes(range(256)))
    target.write_bytes(b"old" * 1000)
    copy_file(source, target)
    assert target.read_bytes() == source.read_bytes()
