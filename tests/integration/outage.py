"""Ways in which everything upstream goes away, and a mirror that was warmed before."""

from __future__ import annotations

import select
import signal
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from urllib.parse import urlsplit

from attrs import field, frozen

from tests.support.certificates import Authority
from tests.support.hub import PASSWORD, USER, Hub, start_hub
from tests.support.mirror import Mirror, start_mirror
from tests.support.programs import run
from tests.support.waiting import wait_until

__all__ = ["IMPATIENT", "OUTAGES", "REPOSITORY", "TAG", "Listener", "World", "begun", "warmed"]
__all__ += ["wait_until_public"]

REPOSITORY, TAG = "library/busybox", "1.0"

#: A mirror for which a tag is old at once, and which does not wait for long.
IMPATIENT = (
    *("--http", "127.0.0.1:0", "--log-format", "json"),
    *("--tag-ttl", "0s", "--stale-while-revalidate", "0s", "--public-ttl", "0s"),
    *("--connect-timeout", "1s", "--response-timeout", "2s", "--patience", "500ms"),
)
#: A name that only ``/etc/hosts`` knows, and the address of a name server that tests may be.
NAME, NAME_SERVER = "hub.test", "127.0.0.53"

#: So many connections fill the backlog of a listener that takes none, and some.
_MANY = 8


@frozen
class World:
    """A Hub before ``registry``, and what a mirror of it needs."""

    folder: Path
    authority: Authority
    registry: str
    hub: Hub
    _mirrors: ExitStack = field(factory=ExitStack)

    def start_mirror(self, *wrapper: str | Path) -> Mirror:
        """A mirror of the Hub, always on the same data folder; it ends with the world."""
        mirror = start_mirror(
            "serve", self.folder / "mirror", *IMPATIENT, *self.hub.upstream, wrapper=wrapper
        )
        self._mirrors.callback(mirror.program.stop)
        return mirror

    def restart_hub(self, *options: str) -> None:
        """Another Hub at the same address, and with these options."""
        self.hub.program.stop()
        hub = start_hub(
            self.folder, self.authority, self.registry, "--port", str(self.port), *options
        )
        self._mirrors.callback(hub.program.stop)

    def warm(self, mirror: Mirror, image: str) -> None:
        """Pull ``image`` whole, logged in; the mirror finds out by itself that it is public."""
        self.warm_private(mirror, image)
        wait_until_public(self.folder / "mirror", image.partition(":")[0])

    def warm_private(self, mirror: Mirror, image: str) -> None:
        """Pull ``image`` whole, logged in."""
        login = ("--src-creds", f"{USER}:{PASSWORD}", "--src-tls-verify=false")
        source = f"docker://{mirror.authority}/{image}"
        with TemporaryDirectory() as folder:
            run("skopeo", "copy", "--all", *login, source, f"dir:{folder}")

    def push(self, layout: str, image: str) -> None:
        """Let the Hub have ``layout`` as ``image``."""
        address = self.registry.partition("//")[2]
        target = f"docker://{address}/{image}"
        run("skopeo", "copy", "--all", "--dest-tls-verify=false", layout, target)

    @property
    def port(self) -> int:
        """The registry's."""
        port = urlsplit(self.hub.url).port
        assert port is not None
        return port

    def close(self) -> None:
        """End it all."""
        self._mirrors.close()
        self.hub.program.stop()


@contextmanager
def world(folder: Path, authority: Authority, registry: str, name: str) -> Iterator[World]:
    """A Hub called ``name``."""
    made = World(folder, authority, registry, start_hub(folder, authority, registry, name=name))
    with closing(made):
        yield made


def wait_until_public(folder: Path, repository: str) -> None:
    """Return when the mirror in ``folder`` has found out that ``repository`` is public."""
    index = folder / "data" / "index.sqlite"
    wait_until(lambda: _is_public(index, repository), f"{repository} is known to be public")


def _is_public(index: Path, repository: str) -> bool:
    with closing(sqlite3.connect(f"file:{index}?mode=ro", uri=True)) as connection:
        found = connection.execute(
            "SELECT 1 FROM publicity WHERE name = ? AND is_public", (repository,)
        )
        return found.fetchone() is not None


#: An outage begins and ends with the ``with``; it gives the command in which a mirror must run.
Outage = Callable[[World], Iterator[tuple[str | Path, ...]]]


def _refused(world: World) -> Iterator[tuple[str | Path, ...]]:
    """All three hosts are dead: their ports refuse."""
    world.hub.program.stop()
    yield ()


def _silent(world: World) -> Iterator[tuple[str | Path, ...]]:
    """Connections are made, and then nothing ever comes."""
    world.hub.program.signal(signal.SIGSTOP)
    try:
        yield ()
    finally:
        world.hub.program.signal(signal.SIGCONT)


def _hanging(world: World) -> Iterator[tuple[str | Path, ...]]:
    """Not even a connection is made: packets vanish."""
    world.hub.program.stop()
    with ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", world.port))
        listener.listen(0)
        for _ in range(_MANY):
            filler = sockets.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield ()


def _error(world: World) -> Iterator[tuple[str | Path, ...]]:
    """503 to everything."""
    world.restart_hub("--answer-always", "503")
    yield ()


def _too_many(world: World) -> Iterator[tuple[str | Path, ...]]:
    """429 to everything."""
    world.restart_hub("--answer-always", "429")
    yield ()


def _slow(world: World) -> Iterator[tuple[str | Path, ...]]:
    """Each answer takes longer than the mirror's patience, and not so long as to be an outage."""
    world.restart_hub("--delay", "1.2")
    yield ()


def _unresolved(world: World) -> Iterator[tuple[str | Path, ...]]:
    """The name server refuses: nothing listens there."""
    yield _with_names(world.folder / "outage")


def _unanswered(world: World) -> Iterator[tuple[str | Path, ...]]:
    """The name server swallows every question."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as name_server:
        name_server.bind((NAME_SERVER, 53))
        yield _with_names(world.folder / "outage")


OUTAGES: dict[str, Outage] = {
    "refused": _refused,
    "silent": _silent,
    "hanging": _hanging,
    "503": _error,
    "429": _too_many,
    "slow": _slow,
    "dns-refused": _unresolved,
    "dns-silent": _unanswered,
}


@contextmanager
def begun(outage: str, world: World) -> Iterator[Mirror]:
    """A mirror that is started anew when the ``outage`` has begun."""
    with contextmanager(OUTAGES[outage])(world) as wrapper:
        yield world.start_mirror(*wrapper)


@contextmanager
def warmed(
    outage: str, folder: Path, authority: Authority, registry: str
) -> Iterator[tuple[World, Mirror]]:
    """A mirror of a Hub that was warmed and runs, for an ``outage`` to come."""
    by_name = outage.startswith("dns")
    with world(folder, authority, registry, NAME if by_name else "127.0.0.1") as made:
        names = _with_names(folder / "names", f"127.0.0.1 {NAME}") if by_name else ()
        mirror = made.start_mirror(*names)
        made.warm(mirror, f"{REPOSITORY}:{TAG}")
        yield made, mirror


class Listener(Thread):
    """Takes every connection at ``port``, says nothing, and notes when each began and ended."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.spans: list[tuple[float, float]] = []
        self._began: dict[socket.socket, float] = {}
        self._is_over = Event()
        self._socket = socket.create_server(("127.0.0.1", port))

    @property
    def count(self) -> int:
        """How many connections there were, those that are open included."""
        return len(self.spans) + len(self._began)

    def run(self) -> None:
        """Until ``close``."""
        while not self._is_over.is_set():
            readable, _, _ = select.select([self._socket, *self._began], [], [], 0.02)
            for one in readable:
                if one is self._socket:
                    self._began[one.accept()[0]] = time.monotonic()
                elif _is_over(one):
                    self.spans.append((self._began.pop(one), time.monotonic()))
                    one.close()

    def close(self) -> None:
        """Hang up."""
        self._is_over.set()
        self.join()
        for one in (self._socket, *self._began):
            one.close()


def _is_over(connection: socket.socket) -> bool:
    try:
        return not connection.recv(65536)
    except ConnectionResetError:
        return True


def _with_names(folder: Path, *hosts: str) -> tuple[str | Path, ...]:
    """The command for a program that knows these ``hosts``, and asks ``NAME_SERVER`` for others."""
    folder.mkdir()
    (folder / "hosts").write_text("".join(f"{line}\n" for line in hosts))
    (folder / "resolv.conf").write_text(f"nameserver {NAME_SERVER}\n")
    script = 'cd "$0" && mount -B hosts /etc/hosts && mount -B resolv.conf /etc/resolv.conf'
    return ("unshare", "--mount", "sh", "-c", f'{script} && cd / && exec "$@"', folder)
