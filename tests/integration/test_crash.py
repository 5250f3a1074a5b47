"""``kill -9`` under load, over and over: the daemon starts, serves the right bytes, leaks nothing.

``CRASH_ROUNDS`` says how often (``make crash``: 200).
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import sqlite3
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import closing
from http.client import HTTPException
from pathlib import Path
from threading import Event, Thread

import pytest
from attrs import define, field, frozen

from hubmirror.cache.twin_files import FILE_NAMES
from hubmirror.demo.image import build_image, random_layer
from tests.integration.live_hub import LiveHub, live_hub
from tests.integration.pulling import login, pull
from tests.support.mirror import Mirror, MirrorStarter

pytestmark = pytest.mark.integration

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "10"))
CLIENTS = 8
#: The longest life of a daemon under load, in seconds.
LONGEST = 1.5
#: How many images are new in each round, and how many the Hub holds in all.
NEW, MOST = 2, 24
#: The sizes of which an image has two layers, in bytes; one is worth several connections.
SIZES = (1 << 10, 40 << 10, 300 << 10, 17 << 20)
MOVING = "latest"
#: How much the daemon may keep: less than it is asked for, so that it evicts, too.
SPACE = "150MiB"

#: The end of a day, and how many requests were counted on it: what comes later is greater.
Counted = tuple[str, int]


@define
class Shelf:
    """The Hub's images: ``current`` are the digests of their indexes, by repository and tag."""

    hub: LiveHub
    random: random.Random
    folder: Path
    current: dict[tuple[str, str], str] = field(factory=dict)
    _repositories: deque[str] = field(factory=deque)

    def renew(self) -> None:
        """New images come, and the oldest go with their repository."""
        for _ in range(NEW):
            self._add()
        while len(self._repositories) * NEW > MOST:
            gone = self._repositories.popleft()
            self.hub.call(self.hub.store.remove, gone)
            for key in [key for key in self.current if key[0] == gone]:
                del self.current[key]
            shutil.rmtree(self.folder / gone)

    def _add(self) -> None:
        repository = self._repository()
        seed = self.random.getrandbits(32)
        folder = self.folder / repository / str(seed)
        folder.mkdir(parents=True)
        sizes = self.random.sample(SIZES, 2)
        layers = [random_layer(folder / str(size), size, seed) for size in sizes]
        image = build_image({"amd64": layers})
        for tag in (f"v{seed}", MOVING):
            self.hub.call(self.hub.store.add_image, repository, tag, image)
            self.current[repository, tag] = str(image.index.digest)

    def _repository(self) -> str:
        """That of the round before, or a new one: so ``MOVING`` moves."""
        if not self._repositories or self.random.random() < 1 / NEW:
            self._repositories.append(f"library/{self.random.getrandbits(32)}")
        return self._repositories[-1]


@frozen
class Load:
    """Clients that pull whatever there is until the daemon is killed.

    ``wrong`` is what they met and should not have.
    """

    mirror: Mirror
    current: Mapping[tuple[str, str], str]
    killed: Event = field(factory=Event)
    wrong: list[str] = field(factory=list)
    pulled: list[str] = field(factory=list)

    def run(self, seed: int) -> None:
        """One client."""
        choice = random.Random(seed)  # noqa: S311 - not a secret
        while not self.wrong:
            repository, tag = choice.choice(list(self.current))
            try:
                digest = pull(self.mirror, repository, tag, login(self.mirror, repository))
                assert tag == MOVING or digest == self.current[repository, tag]
            except Exception as error:
                if not (self.killed.is_set() and isinstance(error, (OSError, HTTPException))):
                    self.wrong.append(f"{repository}:{tag}: {error!r}")
                return
            self.pulled.append(digest)


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    """A Hub whose images change, by a seed that a failed test tells."""
    seed = random.SystemRandom().getrandbits(32)
    print(f"seed {seed}")
    folder = tmp_path / "layers"
    folder.mkdir()
    with live_hub() as hub:
        yield Shelf(hub, random.Random(seed), folder)  # noqa: S311 - not a secret


def test_kill_under_load(start: MirrorStarter, shelf: Shelf, tmp_path: Path) -> None:
    """Each time it starts, serves right bytes, and has counted all; at the end all adds up."""
    options = ("--http", "127.0.0.1:0", *shelf.hub.upstream, "--quota", "0", "--max-size", SPACE)
    tags = ("--tag-ttl", "200ms", "--stale-while-revalidate", "0")
    used: Counted = ("", 0)
    pulled = 0
    for _ in range(ROUNDS):
        shelf.renew()
        mirror = start("serve", *options, *tags)
        assert counted(mirror) >= used
        load = Load(mirror, dict(shelf.current))
        used = kill(load, shelf.random)
        pulled += len(load.pulled)
    print(f"{pulled} pulls")

    mirror = start("serve", *options, *tags)
    assert counted(mirror) >= used
    for (repository, tag), digest in shelf.current.items():
        assert pull(mirror, repository, tag, login(mirror, repository)) == digest
    mirror.program.stop()
    assert "Traceback" not in mirror.program.text(), mirror.program.text()
    assert_adds_up(tmp_path / "mirror" / "data")


def kill(load: Load, choice: random.Random) -> Counted:
    """Kill the daemon at some moment under ``load``; what it had counted shortly before."""
    clients = [Thread(target=load.run, args=(choice.getrandbits(32),)) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    Event().wait(choice.uniform(0, LONGEST))  # the moment is what the test is about
    used = counted(load.mirror)
    load.killed.set()
    load.mirror.program.signal(signal.SIGKILL)
    for client in clients:
        client.join()
    load.mirror.program.wait()
    assert not load.wrong, (load.wrong, load.mirror.program.text())
    assert "Traceback" not in load.mirror.program.text(), load.mirror.program.text()
    return used


def counted(mirror: Mirror) -> Counted:
    """How many requests it has answered, as it says."""
    told = json.loads(mirror.ask("/quota").body)
    return told["reset"], told["used"]


def assert_adds_up(data: Path) -> None:
    """Both files of the index know what is on the disk, and nothing else; all is what it is."""
    files = {f"sha256:{path.name}": path for path in (data / "blobs" / "sha256").iterdir()}
    for digest, path in files.items():
        assert digest == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    for name in FILE_NAMES:
        with closing(sqlite3.connect(f"file:{data / name}?mode=ro", uri=True)) as index:
            known = dict(index.execute("SELECT digest, size FROM blobs"))
            named = index.execute("SELECT digest FROM links UNION SELECT digest FROM tags")
            assert known == {digest: path.stat().st_size for digest, path in files.items()}
            assert {digest for (digest,) in named} <= known.keys()
    assert not any((data / "blobs" / "sha512").iterdir())
    partial = sorted(path.name for path in (data / "partial").iterdir())
    stems = sorted({Path(name).stem for name in partial})
    assert partial == [f"{stem}{end}" for stem in stems for end in (".data", ".pieces")]
