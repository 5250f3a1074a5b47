"""The file of a secret key."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hubmirror.tokens.keyfile import KEY_SIZE, KeyFileError, read_or_make_key


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "token.key"


def test_a_key_is_made_once(file: Path) -> None:
    """The next start finds it, and another folder has another one."""
    key = read_or_make_key(file)
    assert len(key) == KEY_SIZE
    assert read_or_make_key(file) == key
    assert read_or_make_key(file.with_name("other")) != key


def test_it_is_its_owners_alone(file: Path) -> None:
    """Whatever the umask is, and nothing else is left beside it."""
    umask = os.umask(0)
    try:
        read_or_make_key(file)
    finally:
        os.umask(umask)
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("content", [b"", b"short", b"x" * (KEY_SIZE + 1)])
def test_what_is_no_key_is_replaced(file: Path, content: bytes) -> None:
    """A file of another size was never a key of ours."""
    file.write_bytes(content)
    file.chmod(0o600)
    key = read_or_make_key(file)
    assert file.read_bytes() == key != content


def test_a_draft_that_a_crash_left_is_in_nobodys_way(file: Path) -> None:
    """Nor does a link in its place lead anywhere."""
    elsewhere = file.with_name("elsewhere")
    file.with_name(".token.key.new").symlink_to(elsewhere)
    read_or_make_key(file)
    assert not elsewhere.exists()
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_that_others_may_touch_is_refused(file: Path, mode: int) -> None:
    """It is no secret any more; a person must know."""
    read_or_make_key(file)
    file.chmod(mode)
    with pytest.raises(KeyFileError, match="open to other users"):
        read_or_make_key(file)


def test_a_key_elsewhere_is_refused(file: Path) -> None:
    """A link is not followed."""
    read_or_make_key(file)
    link = file.with_name("link")
    link.symlink_to(file)
    with pytest.raises(KeyFileError, match="link"):
        read_or_make_key(link)


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    """The error names the file and why."""
    with pytest.raises(KeyFileError, match=r"missing/key can't be used: No such file"):
        read_or_make_key(tmp_path / "missing" / "key")
