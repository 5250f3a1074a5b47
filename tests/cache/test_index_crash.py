"""``kill -9`` while the index is written: what was acknowledged is there afterwards."""

from __future__ import annotations

import random
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hubmirror.cache.rows import BLOBS, LINKS, TAGS
from tests.cache.indexes import BUSYBOX, MANIFEST, contents, digest, opened_files

ROUNDS = 10

#: Puts a blob, its link and a tag for each number, drops the blob of three before in its lane,
#: and says so after each number; eight lanes at once, so that batches hold several changes.
WRITE_FOREVER = """
import sys
from pathlib import Path
from twisted.internet import reactor, task
from twisted.internet.defer import Deferred
from twisted.python.threadpool import ThreadPool
from hubmirror.cache.index import SQLiteIndex
from hubmirror.cache.interfaces import BlobRow, Link
from tests.cache.indexes import BUSYBOX, MANIFEST, NOW, digest, tag_entry

async def write(index, start):
    for number in range(start, sys.maxsize, 8):
        await index.put_blob(BlobRow(digest(str(number)), number, NOW))
        await index.put_link(Link(BUSYBOX, digest(str(number)), MANIFEST))
        await index.put_tag(tag_entry(f"of-{number % 8}", str(number)))
        await index.drop_blob(digest(str(number - 24)))
        print(number, flush=True)

async def main(reactor):
    pool = ThreadPool(1, 1)
    pool.start()
    index = SQLiteIndex(reactor, pool, Path(sys.argv[1]), lambda: NOW)
    await index.open()
    first = int(sys.argv[2])
    for start in range(first, first + 8):
        Deferred.fromCoroutine(write(index, start))
    await Deferred()

task.react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
"""


def written_until_killed(folder: Path, first: int, lines: int) -> list[int]:
    """The numbers from ``first`` on that a process acknowledged before it was killed."""
    command = [sys.executable, "-c", WRITE_FOREVER, str(folder), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        seen = []
        for _ in range(lines):
            assert select.select([process.stdout], [], [], 30)[0], "it writes nothing"
            seen.append(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        seen.extend(process.stdout)
    assert process.returncode == -signal.SIGKILL
    return [int(line) for line in seen if line.endswith("\n")]


def check(folder: Path, acknowledged: list[int]) -> None:
    """All that was acknowledged is there, all that was dropped is not, and no tag is older."""
    with opened_files(folder) as files:
        for number in acknowledged:
            lane, at = number % 8, {"digest": str(digest(str(number)))}
            last = max(other for other in acknowledged if other % 8 == lane)
            assert bool(files.select(BLOBS, at)) or number < last - 8
            assert bool(files.select(LINKS, at)) == bool(files.select(BLOBS, at))
            gone = {"digest": str(digest(str(number - 24)))}
            assert not files.select(BLOBS, gone)
            assert not files.select(LINKS, gone)
            (entry,) = files.select(TAGS, {"tag": f"of-{lane}"})
            newer = [digest(str(last + later)) for later in (0, 8)]
            assert entry.digest in newer
        assert all(link.repository == BUSYBOX for link in files.select(LINKS))
        assert {entry.media_type for entry in contents(files)["tags"]} == {MANIFEST}


def test_what_was_acknowledged_outlives_a_kill(tmp_path: Path) -> None:
    """Ten processes, each killed at a random moment, write on in one folder."""
    chance = random.Random(9)  # noqa: S311 - moments to try
    first = 0
    for _ in range(ROUNDS):
        acknowledged = written_until_killed(tmp_path, first, chance.randrange(9, 60))
        check(tmp_path, acknowledged)
        first += 8000
    assert list(tmp_path.glob("*.damaged-*")) == []


@pytest.mark.parametrize("name", ["index.sqlite", "index-copy.sqlite"])
def test_one_file_is_enough_after_a_kill(tmp_path: Path, name: str) -> None:
    """The other one is lost together with the process."""
    acknowledged = written_until_killed(tmp_path, 0, 30)
    (tmp_path / name).unlink()
    check(tmp_path, acknowledged)
