"""Noticing that a certificate's files changed."""

from __future__ import annotations

import os
from pathlib import Path

from zope.interface.verify import verifyObject

from hubmirror.certificates.sources import CertificateFiles, ICertificateSource, stamp_of
from tests.certificates.making import make, write_pair


def test_files_are_a_source(tmp_path: Path) -> None:
    """The files' source gives what the files hold."""
    made = make()
    source = CertificateFiles(*write_pair(tmp_path, made))
    assert verifyObject(ICertificateSource, source)
    assert source.load().chain == (made.certificate,)


def test_stamp_stays_without_a_change(tmp_path: Path) -> None:
    """Two looks at the same files are equal, so nothing is read again."""
    source = CertificateFiles(*write_pair(tmp_path, make()))
    assert source.stamp() == source.stamp()


def test_stamp_sees_each_file(tmp_path: Path) -> None:
    """A change of either file shows."""
    certificate, key = write_pair(tmp_path, make())
    source = CertificateFiles(certificate, key)
    stamps = {source.stamp()}
    for file in (certificate, key):
        file.write_bytes(file.read_bytes() + b"\n")
        stamps.add(source.stamp())
    assert len(stamps) == 3


def test_stamp_sees_a_rename_that_keeps_time_and_size(tmp_path: Path) -> None:
    """A file renamed into place shows by its inode, though size and mtime are the old one's."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"1")
    new.write_bytes(b"2")
    for file in (old, new):
        os.utime(file, (1, 1))
    before = stamp_of(old)
    new.rename(old)
    assert stamp_of(old) != before


def test_stamp_follows_links(tmp_path: Path) -> None:
    """A link that is turned to another file shows, as certbot and Kubernetes do it."""
    link = tmp_path / "link"
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(b"x")
    link.symlink_to("one")
    before = stamp_of(link)
    link.unlink()
    link.symlink_to("two")
    assert stamp_of(link) != before


def test_a_missing_file_has_a_stamp(tmp_path: Path) -> None:
    """A file that is not there is a state like another, not an error."""
    file = tmp_path / "file"
    assert stamp_of(file) is None
    file.touch()
    assert stamp_of(file) is not None
