"""Tests of the files that settings name."""

from __future__ import annotations

import os
import struct
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


USER, GROUP, OTHERS = 0x01, 0x04, 0x20
NAMED_USER, NAMED_GROUP, MASK = 0x02, 0x08, 0x10


def with_acl(path: Path, *named: tuple[int, int, int], group: int = 0) -> Path:
    """A private file with an access control list: kind, right and number of each entry."""
    private(path, b"user:password")
    entries = [(USER, 4, 0xFFFFFFFF), *named, (GROUP, group, 0xFFFFFFFF)]
    entries += [(MASK, 4, 0xFFFFFFFF), (OTHERS, 0, 0xFFFFFFFF)]
    written = b"".join(struct.pack("<HHI", *entry) for entry in sorted(entries))
    os.setxattr(path, "system.posix_acl_access", struct.pack("<I", 2) + written)
    return path


def test_a_right_of_ones_own_is_no_strangers(tmp_path: Path) -> None:
    """So systemd hands over credentials; the mode looks then as if the group could read them."""
    path = with_acl(tmp_path / "login", (NAMED_USER, 4, os.geteuid()))

    assert path.stat().st_mode & 0o777 == 0o440
    assert read_login(path) == ("user", "password")


@pytest.mark.parametrize(
    ("named", "group"),
    [((NAMED_USER, 4, 12345), 0), ((NAMED_GROUP, 4, 12345), 0), ((NAMED_USER, 4, 0), 4)],
    ids=["user", "group", "the file's own group"],
)
def test_a_right_of_a_stranger_is_refused(
    tmp_path: Path, named: tuple[int, int, int], group: int
) -> None:
    """Whoever it is."""
    path = with_acl(tmp_path / "login", named, group=group)

    with pytest.raises(ValueError, match="open to other users"):
        read_login(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can make a file root's")
@pytest.mark.parametrize(("mode", "is_fine"), [(0o440, True), (0o460, False), (0o444, False)])
def test_roots_file_may_be_lent_to_our_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, is_fine: bool
) -> None:
    """As Kubernetes mounts a Secret: to be read, and by nobody else."""
    path = private(tmp_path / "login", b"user:password")
    os.chown(path, 0, os.getegid())
    path.chmod(mode)
    monkeypatch.setattr(os, "geteuid", lambda: 10001)

    if is_fine:
        assert read_login(path) == ("user", "password")
        monkeypatch.setattr(os, "getegid", lambda: 10001)
        monkeypatch.setattr(os, "getgroups", lambda: [10002])
    with pytest.raises(ValueError, match="open to other users"):
        read_login(path)
