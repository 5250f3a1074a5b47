"""Writing files that hold keys."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hubmirror.certificates.files import CertificateError
from hubmirror.certificates.private_files import make_private_folder, write_file


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_folder_is_its_owners_alone(tmp_path: Path) -> None:
    """The folder is made with its parents, and one that was open to others is closed."""
    folder = tmp_path / "data" / "tls"
    make_private_folder(folder)
    assert mode(folder) == 0o700
    folder.chmod(0o755)
    make_private_folder(folder)
    assert mode(folder) == 0o700


def test_a_file_has_its_mode_from_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mode is right when the first byte is made durable, not only at the end."""
    seen = []
    sync = os.fsync

    def watched(descriptor: int) -> None:
        seen.append(os.fstat(descriptor).st_mode & 0o777)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    tmp_path.chmod(0o700)
    write_file(tmp_path / "key", b"secret", 0o600)
    assert seen == [0o600, 0o700]  # the file, then its folder
    assert mode(tmp_path / "key") == 0o600
    assert (tmp_path / "key").read_bytes() == b"secret"


def test_a_draft_left_by_a_crash(tmp_path: Path) -> None:
    """A leftover is thrown away, were it a link to elsewhere; nothing else stays behind."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"mine")
    (tmp_path / ".key.new").symlink_to(elsewhere)
    write_file(tmp_path / "key", b"secret", 0o600)
    assert elsewhere.read_bytes() == b"mine"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["elsewhere", "key"]


def test_errors_name_the_file(tmp_path: Path) -> None:
    """A folder that is a file, or is not there, is an error with its name and reason."""
    (tmp_path / "file").touch()
    with pytest.raises(CertificateError, match=f"{tmp_path}/file: can't be written: File exists"):
        make_private_folder(tmp_path / "file")
    with pytest.raises(CertificateError, match="none/key: can't be written: No such file"):
        write_file(tmp_path / "none" / "key", b"secret", 0o600)
