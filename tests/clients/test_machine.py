"""Files of the machine that a client runs on."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest

from hubmirror.clients.files import SetupError
from hubmirror.clients.machine import Machine

FILE = PurePosixPath("/etc/x/file")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """The folders that were made are told, from the first on."""
    machine = Machine(tmp_path)

    assert machine.look(FILE) is None
    assert machine.write(FILE, b"a") == ["/etc", "/etc/x"]
    assert machine.write(FILE, b"b") == []
    assert machine.look(FILE) == b"b"
    assert machine.names(FILE.parent) == ["file"]
    assert machine.names(FILE) == machine.names(PurePosixPath("/nowhere")) == []


def test_mode_and_owner_stay(tmp_path: Path) -> None:
    """A file with a password in it stays its owner's alone."""
    machine = Machine(tmp_path)
    machine.write(FILE, b"a", 0o600)
    owner = (1, 2) if os.geteuid() == 0 else (os.getuid(), os.getgid())
    os.chown(tmp_path / "etc/x/file", *owner)

    machine.write(FILE, b"b")

    status = (tmp_path / "etc/x/file").stat()
    assert (status.st_mode & 0o777, status.st_uid, status.st_gid) == (0o600, *owner)
    assert machine.mode(FILE) == 0o600
    assert machine.mode(PurePosixPath("/nowhere")) is None


def test_a_link_stays_one(tmp_path: Path) -> None:
    """Its target is written; one that leads out of the root is not followed."""
    machine = Machine(tmp_path)
    machine.write(PurePosixPath("/srv/file"), b"old")
    machine.write(PurePosixPath("/etc/x/other"), b"old")
    link = tmp_path / "etc/x/file"
    link.symlink_to("../../srv/file")
    (tmp_path / "etc/x/out").symlink_to("/nowhere/else")

    machine.write(FILE, b"new")

    assert link.is_symlink()
    assert (tmp_path / "srv/file").read_bytes() == b"new"
    with pytest.raises(SetupError, match="outside"):
        machine.write(PurePosixPath("/etc/x/out"), b"new")


def test_what_fails_is_told_of(tmp_path: Path) -> None:
    """A folder where a file was thought to be, and the other way round."""
    machine = Machine(tmp_path)
    machine.write(FILE, b"a")

    with pytest.raises(SetupError, match="/etc/x can't be read: is a directory"):
        machine.look(FILE.parent)
    with pytest.raises(SetupError, match="/etc/x can't be written: is a directory"):
        machine.write(FILE.parent, b"b")
    with pytest.raises(SetupError, match="/etc/x/file/y can't be written"):
        machine.write(FILE / "y", b"b")
    with pytest.raises(SetupError, match="/etc/x can't be removed"):
        machine.remove(FILE.parent)
    assert [path.name for path in (tmp_path / "etc/x").iterdir()] == ["file"]


def test_new_folders_are_for_all_to_read(tmp_path: Path) -> None:
    """Whatever the umask: clients are not always root."""
    before = os.umask(0o077)
    try:
        Machine(tmp_path).write(FILE, b"new")
    finally:
        os.umask(before)

    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("etc", "etc/x", "etc/x/file")]
    assert modes == [0o755, 0o755, 0o644]


def test_folders_go_when_they_are_empty(tmp_path: Path) -> None:
    """Those that are not are told."""
    machine = Machine(tmp_path)
    made = machine.write(FILE, b"a")
    machine.write(PurePosixPath("/etc/other"), b"a")
    machine.remove(FILE)
    machine.remove(FILE)  # which is not there any more

    assert machine.remove_empty([*made, "/nowhere"]) == ["/etc"]
    assert not (tmp_path / "etc/x").exists()
