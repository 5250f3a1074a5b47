"""``kill -9`` under load, over and over: the daemon starts, serves the right bytes, leaks nothing.

``CRASH_ROUNDS`` says how often (``make crash``: 200).
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import sqlite3
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from attrs import define, field, frozen

from hubmirror.cache.twin_files import FILE_NAMES
from hubmirror.demo.image import build_image, random_layer
from hubmirror.quota.accounts import Dimension
from hubmirror.quota.files import QuotaFiles
from hubmirror.quota.history import Step
from hubmirror.quota.window import day_of
from tests.integration.live_hub import LiveHub, live_hub
from tests.integration.pulling import login, pull
from tests.support.mirror import Mirror, MirrorStarter
from tests.support.quota import told

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
NO_LIMIT = ("--quota", "0", "--quota-minute", "0")
#: How much the daemon may keep: less than it is asked for, so that it evicts, too.
SPACE = "150MiB"

#: The end of a day, and how many requests were counted on it: what comes later is greater.
Counted = tuple[str, int]
#: How much of the history a kill may lose, in seconds: it is written once a second.
HISTORY = 2.0


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
class Requests:
    """When each request was about to be sent, and when it was answered, by ``time.monotonic``."""

    sent: list[float] = field(factory=list)
    answered: list[float] = field(factory=list)


class NotingConnection(HTTPConnection):
    """Notes in ``requests`` what goes over it."""

    requests: Requests

    def putrequest(self, *arguments: Any, **options: Any) -> None:
        """As ``HTTPConnection``'s."""
        self.requests.sent.append(time.monotonic())
        super().putrequest(*arguments, **options)

    def getresponse(self) -> HTTPResponse:
        """As ``HTTPConnection``'s."""
        response = super().getresponse()
        self.requests.answered.append(time.monotonic())
        return response


@frozen
class NotedMirror(Mirror):
    """A mirror whose clients' requests are noted."""

    requests: Requests = field(factory=Requests)

    def connect(
        self, timeout: float = 30, source: tuple[str, int] | None = None
    ) -> NotingConnection:
        """See ``Mirror``."""
        connection = NotingConnection(self.authority, timeout=timeout, source_address=source)
        connection.requests = self.requests
        return connection


@frozen
class Books:
    """What the quota's files tell while no daemon runs: all requests that they have counted,

    those that the history has, and those that the books have, each client's together.
    """

    used: int
    in_history: int
    in_books: int

    @classmethod
    def read(cls, data: Path) -> Books:
        """Of yesterday and today; raises where a file does not open."""
        files, now = QuotaFiles.open(data), time.time()
        try:
            rows = files.history.rows(Step.DAY, now, 2)
            days = (day_of(now) - 1, day_of(now))
            clients = [
                entry.requests
                for day in days
                for entry in files.books.load(day)
                if entry.dimension is Dimension.ADDRESS
            ]
            used = sum(map(files.ledger.used, days))
            return cls(used, sum(row.admitted for _, row in rows), sum(clients))
        finally:
            files.close()


@frozen
class Load:
    """Clients that pull whatever there is until the daemon is killed.

    ``wrong`` is what they met and should not have.
    """

    mirror: NotedMirror
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
    options = ("--http", "127.0.0.1:0", *shelf.hub.upstream, *NO_LIMIT, "--max-size", SPACE)
    tags = ("--tag-ttl", "200ms", "--stale-while-revalidate", "0")
    data = tmp_path / "mirror" / "data"
    books, used = Books(0, 0, 0), ("", 0)
    pulled = 0
    for _ in range(ROUNDS):
        shelf.renew()
        mirror = noted(start("serve", *options, *tags))
        assert counted(mirror) >= used
        load = Load(mirror, dict(shelf.current))
        used, killed = kill(load, shelf.random)
        before, books = books, Books.read(data)
        assert_counted(mirror.requests, before, books, killed)
        pulled += len(load.pulled)
    print(f"{pulled} pulls, {books}")

    mirror = noted(start("serve", *options, *tags))
    assert counted(mirror) >= used
    for (repository, tag), digest in shelf.current.items():
        assert pull(mirror, repository, tag, login(mirror, repository)) == digest
    mirror.program.stop()
    assert "Traceback" not in mirror.program.text(), mirror.program.text()
    assert_adds_up(data)
    assert Books.read(data).used - books.used == len(mirror.requests.answered)


def test_a_kill_loses_little_of_the_history(
    start: MirrorStarter, shelf: Shelf, tmp_path: Path
) -> None:
    """Of a daemon that has run for longer than that, the latest two seconds at most."""
    mirror = noted(start("serve", "--http", "127.0.0.1:0", *shelf.hub.upstream, *NO_LIMIT))
    sent = mirror.requests.sent
    while not sent or sent[-1] - sent[0] < 2 * HISTORY:
        assert mirror.ask("/v2/").status == 401

    killed = time.monotonic()
    mirror.program.signal(signal.SIGKILL)
    mirror.program.wait()

    books = Books.read(tmp_path / "mirror" / "data")
    assert books.used == len(sent)
    assert books.in_history > 0
    assert_counted(mirror.requests, Books(0, 0, 0), books, killed)


def kill(load: Load, choice: random.Random) -> tuple[Counted, float]:
    """Kill the daemon at some moment under ``load``.

    What it had counted shortly before, and when that was, by ``time.monotonic``.
    """
    clients = [Thread(target=load.run, args=(choice.getrandbits(32),)) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    Event().wait(choice.uniform(0, LONGEST))  # the moment is what the test is about
    used = counted(load.mirror)
    load.killed.set()
    killed = time.monotonic()
    load.mirror.program.signal(signal.SIGKILL)
    for client in clients:
        client.join()
    load.mirror.program.wait()
    assert not load.wrong, (load.wrong, load.mirror.program.text())
    assert "Traceback" not in load.mirror.program.text(), load.mirror.program.text()
    return used, killed


def counted(mirror: Mirror) -> Counted:
    """How many requests it has answered, as it says."""
    now = told(Mirror(mirror.program, mirror.url))  # which is not counted, and not noted either
    return now["reset"], now["used"]


def noted(mirror: Mirror) -> NotedMirror:
    """The same mirror."""
    return NotedMirror(mirror.program, mirror.url, mirror.ca)


def assert_counted(requests: Requests, before: Books, after: Books, killed: float) -> None:
    """What was answered is counted, and nothing that was not asked.

    The history knows of no more, and has lost what came shortly before the kill at most. The
    books, which are written more seldom, know of no more, either.
    """
    counted = after.used - before.used
    assert len(requests.answered) <= counted <= len(requests.sent)
    late = [moment for moment in requests.sent if moment > killed - HISTORY]
    lost = counted - (after.in_history - before.in_history)
    assert 0 <= lost <= len(late)
    assert after.in_books <= after.used


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
