"""Tests of the files that settings name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hubmirror.config.files import (
    parse_login,
    read_login,
    read_secret,
    read_url,
    readable_file,
)


def private(path: Path, content: bytes) -> Path:
    """A file that only its owner can read."""
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def test_a_readable_file_is_right(tmp_path: Path) -> None:
    """A file passes, an empty one too."""
    readable_file(private(tmp_path / "empty", b""))


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    """The reason is the system's own."""
    with pytest.raises(ValueError, match="No such file"):
        readable_file(tmp_path / "missing")
    with pytest.raises(ValueError, match="directory"):
        readable_file(tmp_path)


@pytest.mark.parametrize("content", [b"user:pass:word", b"user:pass:word\n", b"user:pass:word\r\n"])
def test_a_login(tmp_path: Path, content: bytes) -> None:
    """The first colon parts user and password; the line's end is not the password's."""
    assert read_login(private(tmp_path / "login", content)) == ("user", "pass:word")


@pytest.mark.parametrize(
    "content",
    [b"", b"s3cret", b":s3cret", b"u:s3cret\nmore", b"u:s3cret\xff"],
    ids=["empty", "no-colon", "no-user", "two-lines", "not-utf-8"],
)
def test_what_is_no_login(tmp_path: Path, content: bytes) -> None:
    """Other forms are refused, and nothing of them is told."""
    with pytest.raises(ValueError, match="login") as caught:
        read_login(private(tmp_path / "login", content))
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620])
def test_a_login_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    """Any right of group or others is one too many."""
    path = private(tmp_path / "login", b"user:password")
    path.chmod(mode)
    with pytest.raises(ValueError, match="chmod 600"):
        read_login(path)


def test_a_login_in_a_text() -> None:
    """The same form, without a file."""
    assert parse_login("user:pass:word") == ("user", "pass:word")
    assert parse_login("user:") == ("user", "")
    assert parse_login("user") is parse_login(":x") is parse_login("a:b\nc") is None


@pytest.mark.parametrize("content", [b"0123456789abcdef", b"0123456789abcdef\n"])
def test_a_secret(tmp_path: Path, content: bytes) -> None:
    """One line; its end is not the secret's."""
    assert read_secret(private(tmp_path / "token", content)) == "0123456789abcdef"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"s3cret",
        b"s3cret of many words",
        b"s3cret-0123456789\nmore",
        "s3cret-012345678é".encode(),
    ],
    ids=["empty", "short", "spaces", "two-lines", "not-ascii"],
)
def test_what_is_no_secret(tmp_path: Path, content: bytes) -> None:
    """What is easily guessed, or fits into no header, is refused, and nothing of it is told."""
    with pytest.raises(ValueError, match="16 visible") as caught:
        read_secret(private(tmp_path / "token", content))
    assert "s3cret" not in str(caught.value)


def test_a_url(tmp_path: Path) -> None:
    """As one line, its path and query in it."""
    path = private(tmp_path / "url", b"https://chat.example/hook?key=s3cret\n")
    assert read_url(path) == "https://chat.example/hook?key=s3cret"


@pytest.mark.parametrize(
    "content",
    [b"", b"s3cret", b"ftp://x/s3cret", b"https://s3cret@x/", b"https://x/s3cret\nmore"],
    ids=["empty", "no-scheme", "ftp", "userinfo", "two-lines"],
)
def test_what_is_no_url(tmp_path: Path, content: bytes) -> None:
    """Other forms are refused, and nothing of them is told."""
    with pytest.raises(ValueError, match="url: it") as caught:
        read_url(private(tmp_path / "url", content))
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("read", [read_secret, read_url])
def test_what_others_may_read_is_refused(tmp_path: Path, read: Callable[[Path], object]) -> None:
    """As a login."""
    path = private(tmp_path / "file", b"https://chat.example/hook")
    path.chmod(0o644)
    with pytest.raises(ValueError, match="chmod 600"):
        read(path)
