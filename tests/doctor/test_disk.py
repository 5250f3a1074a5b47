"""The data folder."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from hubmirror.doctor.disk import disk_findings
from hubmirror.doctor.findings import Severity, worst


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder as the daemon makes it."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    return folder


def whats(data: Path, min_free: int = 0, mounts: Path = Path("/proc/mounts")) -> str:
    """All that is found to be wrong, as text."""
    found = disk_findings(data, min_free, mounts)
    return "\n".join(f"{one.severity.value} {one.what}" for one in found)


def test_all_right(data: Path) -> None:
    """Nothing is left behind."""
    found = disk_findings(data, 0)

    assert worst(found) is Severity.OK
    assert list(data.iterdir()) == []


def test_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    """It is not made; what is above it counts."""
    assert "ok" in whats(tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()


def test_others_may_look_in(data: Path) -> None:
    """There are keys in it."""
    data.chmod(0o755)

    assert "warn" in whats(data)
    assert "mode 755" in whats(data)


def test_too_little_room(data: Path) -> None:
    """Less than what shall stay free."""
    assert "fail" in whats(data, 1 << 60)
    free = os.statvfs(data).f_bavail * os.statvfs(data).f_frsize
    assert "warn" in whats(data, free * 3 // 4)


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC, errno.EACCES])
def test_a_disk_that_takes_nothing(
    number: int, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the sync, which is when it tells."""

    def failing(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("os.fsync", failing)

    assert f"fail {data} can't be written: {os.strerror(number).lower()}" in whats(data)
    assert list(data.iterdir()) == []


def test_a_slow_disk(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds up each blob."""
    times = iter([0.0, 3.5])
    monkeypatch.setattr("time.monotonic", lambda: next(times))

    assert "warn a small file takes 3.5 s" in whats(data)


def test_a_disk_of_another_machine(data: Path, tmp_path: Path) -> None:
    """By the longest mount point that fits."""
    mounts = tmp_path / "mounts"
    mounts.write_text(f"a / ext4 rw 0 0\nb {data} nfs4 rw 0 0\nc {data}-other xfs rw 0 0\n")

    assert "on another machine (nfs4)" in whats(data, mounts=mounts)


def test_a_file_in_its_place(tmp_path: Path) -> None:
    """It is no folder."""
    (tmp_path / "data").write_text("")

    assert "fail" in whats(tmp_path / "data")
