"""The data folder is one daemon's."""

from __future__ import annotations

from pathlib import Path

import pytest

from hubmirror.datafolder import DataFolder, DataFolderError


def test_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    """Missing folders are made; nobody else may look in."""
    path = tmp_path / "a" / "b"
    DataFolder.open(path).close()
    assert path.stat().st_mode & 0o777 == 0o700
    assert (path / "lock").stat().st_mode & 0o777 == 0o600


def test_two_daemons_do_not_share_it(tmp_path: Path) -> None:
    """The second one is told what to do; after the first one's end it may."""
    first = DataFolder.open(tmp_path)
    with pytest.raises(DataFolderError, match="--data"):
        DataFolder.open(tmp_path)
    first.close()
    DataFolder.open(tmp_path).close()


def test_says_why_it_can_not_be_used(tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DataFolderError, match="can't be used"):
        DataFolder.open(tmp_path / "file")
