"""Operations on a folder at rest, by the command itself: it runs a reactor of its own."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hubmirror.demo.image import build_image, hello_image, random_layer
from tests.support.layouts import write_layout
from tests.support.programs import Program, run

IMAGE = hello_image()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with busybox:1 in it, imported at rest."""
    write_layout(tmp_path / "layout", IMAGE)
    (tmp_path / "data").mkdir(mode=0o700)
    hubmirror(tmp_path / "data", "import", tmp_path / "layout", "--name", "busybox:1")
    return tmp_path / "data"


def hubmirror(data: Path, *arguments: str | Path, status: int = 0) -> str:
    """What ``hubmirror cache`` prints."""
    command = (sys.executable, "-m", "hubmirror", "cache", *arguments, "--data", data)
    return run(*command, status=status)


def reports(data: Path, *arguments: str | Path, status: int = 0) -> list[dict[str, Any]]:
    """The reports that it prints."""
    printed = hubmirror(data, *arguments, "--json", status=status)
    return [json.loads(line) for line in printed.splitlines()]


def test_what_was_imported_stays(folder: Path) -> None:
    """Another process finds it, whole and right."""
    (image,) = reports(folder, "ls")

    assert image["digest"] == str(IMAGE.index.digest)
    assert image["is_public"] is None
    assert reports(folder, "verify")[-1]["rotten"] == 0


def test_rotten(folder: Path) -> None:
    """It is dropped, told, and makes the status 1."""
    digest = IMAGE.blobs[0].digest
    (folder / "blobs" / "sha256" / digest.encoded).write_bytes(b"rotten")

    events = reports(folder, "verify", status=1)

    assert [event["digest"] for event in events if event["event"] == "rotten"] == [str(digest)]
    assert reports(folder, "verify")[-1]["rotten"] == 0


def test_pins_and_removal(folder: Path) -> None:
    """A pin is kept over processes; without it all goes, from the disk, too."""
    hubmirror(folder, "pin", "busybox")
    assert "unpin it first" in hubmirror(folder, "rm", "busybox", status=1)
    hubmirror(folder, "unpin", "busybox")

    assert "removed docker.io/library/busybox" in hubmirror(folder, "rm", "busybox")

    assert os.listdir(folder / "blobs" / "sha256") == []
    assert hubmirror(folder, "ls") == ""


def test_prune(folder: Path) -> None:
    """With room enough nothing goes."""
    assert reports(folder, "prune") == [{"event": "pruned", "evicted": 0, "partials": 0}]


def test_export(folder: Path, tmp_path: Path) -> None:
    """To a file, which appears when it is whole."""
    hubmirror(folder, "export", "busybox:1", tmp_path / "x.tar")
    hubmirror(folder, "export", "busybox:2", tmp_path / "y.tar", status=1)

    assert (tmp_path / "x.tar").is_file()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("y.tar")]


def test_refresh_takes_a_daemon(folder: Path) -> None:
    """It says so."""
    assert "hubmirror serve" in hubmirror(folder, "refresh", "busybox:1", status=1)


def test_no_folder(tmp_path: Path) -> None:
    """A name that is wrong makes no folder."""
    assert "there is no data folder" in hubmirror(tmp_path / "none", "ls", status=1)
    assert not (tmp_path / "none").exists()


def test_a_folder_in_use(folder: Path) -> None:
    """A folder that another process holds is left alone, if nobody answers there."""
    lock = os.open(folder / "lock", os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "can't be used at rest" in hubmirror(folder, "ls", status=1)
    finally:
        os.close(lock)


def test_interrupted(folder: Path, tmp_path: Path) -> None:
    """Ctrl-C ends it at once and in order: the folder can be used again."""
    layer = random_layer(tmp_path / "layer", 256 << 20)
    write_layout(tmp_path / "big", build_image({"amd64": [layer]}))
    arguments = ("import", tmp_path / "big", "--name", "big", "--data", folder)
    program = Program(
        (sys.executable, "-m", "hubmirror", "cache", *arguments), tmp_path / "log", cwd=tmp_path
    )
    program.wait_for_line("big:image: 0%")

    program.signal(signal.SIGINT)

    assert program.wait() == 130
    assert "Traceback" not in program.text()
    assert len(reports(folder, "ls")) == 1


@pytest.fixture
def foreign() -> Iterator[Path]:
    """A data folder of another user."""
    path = Path(tempfile.mkdtemp())
    os.chown(path, 65534, 65534)
    yield path
    shutil.rmtree(path)


@pytest.mark.integration
def test_root_leaves_nothing_of_its_own(foreign: Path, tmp_path: Path) -> None:
    """Run as root, it writes as the folder's owner, and root's files as root."""
    write_layout(tmp_path / "layout", IMAGE)
    (tmp_path / "layout.tar").touch()
    with tarfile.open(tmp_path / "layout.tar", "w") as tar:
        tar.add(tmp_path / "layout", ".")

    hubmirror(foreign, "import", tmp_path / "layout.tar", "--name", "busybox:1")
    hubmirror(foreign, "export", "busybox:1", tmp_path / "x.tar")

    assert {path.stat().st_uid for path in foreign.rglob("*")} == {65534}
    assert (tmp_path / "x.tar").stat().st_uid == 0
