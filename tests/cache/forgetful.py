"""A disk that forgets what was not synced, and may lose its power after any operation.

``RecordingFiles`` keeps a log of what the stores do to the disk. ``ForgetfulDisk`` plays a log, or
a changed copy of it, and tells in which states the disk may be found if the power goes then:

- a file's bytes are there as they were at its last sync, or as they are now;
- a name that a folder got or lost since the folder's last sync is there, or not, each for itself;
- what was synced is there.
"""

from __future__ import annotations

import inspect
import itertools
import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import define, evolve, field, frozen

import hubmirror.cache.files
from hubmirror.cache.files import Files
from hubmirror.naming import Digest

__all__ = [
    "FOLDER",
    "SYNCS",
    "ForgetfulDisk",
    "Killed",
    "Operation",
    "Place",
    "Promise",
    "RecordingFiles",
    "State",
    "swaps",
    "without",
]

FOLDER: Final = "a folder"
CODE: Final = Path(hubmirror.cache.files.__file__).parent
SYNCS: Final = ("fsync", "fdatasync", "fsync_folder")
#: Operations that have no order among themselves.
ALIKE: Final = ({"fsync", "fdatasync"}, {"unlink"}, {"make_folder"})
#: Beyond this the test's script leaves too much unsynced to look at every state.
MOST_STATES: Final = 4096


class Killed(Exception):
    """The daemon was killed: from now on it does nothing."""


#: Lines of code, the innermost first.
Place = tuple[str, ...]


@frozen
class Promise:
    """What was promised to callers when the power went: whole blobs, pieces, and removals."""

    kept: frozenset[Digest] = frozenset()
    gone: frozenset[Digest] = frozenset()
    pieces: frozenset[tuple[Digest, int, int]] = frozenset()


@frozen
class Operation:
    """One change to the disk. Paths are relative; a file is named by the token of its opening.

    ``step`` is what the store was asked to do, ``promise`` what held once this was done, ``place``
    the line of code that did it, with those that led there within one thread's work.
    """

    name: str
    arguments: tuple[Any, ...]
    step: str
    promise: Promise
    place: Place


class RecordingFiles(Files):
    """The real files in ``root``, and a log of what is done to them."""

    def __init__(self, root: Path) -> None:
        self.log: list[Operation] = []
        self.step = ""
        self.is_killed_at: str | None = None
        self._is_dead = False
        self._promise = Promise()
        self._root = root
        self._tokens: dict[int, int] = {}
        self._next_token = itertools.count()

    def promise(self, **changes: frozenset[Any]) -> None:
        """From now on, and so after the last operation, this holds."""
        self._promise = evolve(self._promise, **changes)
        self._note("promise")

    def revive(self) -> None:
        """The daemon starts again."""
        self._is_dead = False

    def open(self, path: Path, flags: int) -> int:
        self._die("open")
        fd = super().open(path, flags)
        self._tokens[fd] = token = next(self._next_token)
        self._note("open", self._relative(path), bool(flags & os.O_TRUNC), token)
        return fd

    def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> None:
        self._die("pwrite")
        super().pwrite(fd, data, offset)
        self._note("pwrite", self._tokens[fd], bytes(data), offset)

    def truncate(self, fd: int, size: int) -> None:
        self._die("truncate")
        super().truncate(fd, size)
        self._note("truncate", self._tokens[fd], size)

    def fsync(self, fd: int) -> None:
        self._die("fsync")
        self._note("fsync", self._tokens[fd])

    def fdatasync(self, fd: int) -> None:
        self._die("fdatasync")
        self._note("fdatasync", self._tokens[fd])

    def rename(self, source: Path, target: Path) -> None:
        self._die("rename")
        super().rename(source, target)
        self._note("rename", self._relative(source), self._relative(target))

    def unlink(self, path: Path) -> None:
        self._die("unlink")
        super().unlink(path)
        self._note("unlink", self._relative(path))

    def make_folder(self, path: Path) -> None:
        self._die("make_folder")
        super().make_folder(path)
        self._note("make_folder", self._relative(path))

    def fsync_folder(self, path: Path) -> None:
        self._die("fsync_folder")
        self._note("fsync_folder", self._relative(path))

    def _die(self, name: str) -> None:
        if name == self.is_killed_at:
            self.is_killed_at = None
            self._is_dead = True
        if self._is_dead:
            raise Killed(name)

    def _relative(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()

    def _note(self, name: str, *arguments: Any) -> None:
        self.log.append(Operation(name, arguments, self.step, self._promise, _place()))


def _place() -> Place:
    lines: list[str] = []
    frame = inspect.currentframe()
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.name == "threads.py":
            break
        if path.parent == CODE:
            lines.append(f"{path.name}:{frame.f_lineno}")
        frame = frame.f_back
    return tuple(lines)


@define(eq=False)
class _File:
    now: bytearray = field(factory=bytearray)
    synced: bytes = b""


@frozen
class State:
    """What is on the disk when the power is back: bytes, or ``FOLDER``, by path.

    ``is_torn``: a file has lost its old name to a rename, and not got the new one. No journal
    does that, but the other promises hold even then.
    """

    entries: tuple[tuple[str, bytes | str], ...]
    is_torn: bool

    def write_to(self, root: Path) -> None:
        """Make it so in ``root``."""
        for path, content in self.entries:
            if isinstance(content, str):
                (root / path).mkdir()
            else:
                (root / path).write_bytes(content)


class ForgetfulDisk:
    """The disk after the operations that were ``play``ed."""

    def __init__(self) -> None:
        #: For each path what it was at its folder's last sync, and what it has been since.
        self._names: dict[str, list[_File | str | None]] = {}
        self._files: dict[int, _File] = {}
        self._renamed: set[tuple[str, _File | str | None]] = set()

    def play(self, operation: Operation) -> None:
        """Do it. Raises ``KeyError`` where it can't be done at this point."""
        if operation.name != "promise":
            getattr(self, f"_{operation.name}")(*operation.arguments)

    def states(self) -> Iterator[State]:
        """All in which it may be found if the power goes now."""
        paths = sorted(self._names)
        choices = [list(dict.fromkeys(self._names[path])) for path in paths]
        count = 1
        for choice in choices:
            count *= len(choice)
        assert count <= MOST_STATES, "the script leaves too much unsynced"
        for chosen in itertools.product(*choices):
            names = dict(zip(paths, chosen, strict=True))
            for is_synced in (True, False):
                yield self._state(names, is_synced)

    def _state(self, names: dict[str, _File | str | None], is_synced: bool) -> State:
        entries: dict[str, bytes | str] = {}
        for path, what in names.items():
            parent = path.rpartition("/")[0]
            if what is None or (parent and entries.get(parent) != FOLDER):
                continue
            if isinstance(what, str):
                entries[path] = what
            else:
                entries[path] = what.synced if is_synced else bytes(what.now)
        there = set(names.values())
        lost = {(p, old[0]) for p, old in self._names.items() if old[0] not in there}
        return State(tuple(entries.items()), not lost.isdisjoint(self._renamed))

    def _at(self, path: str) -> _File | str:
        what = self._names.get(path, [None])[-1]
        if what is None:
            raise KeyError(path)
        return what

    def _put(self, path: str, what: _File | str | None) -> None:
        self._names.setdefault(path, [None]).append(what)

    def _open(self, path: str, is_emptied: bool, token: int) -> None:
        try:
            file = self._at(path)
        except KeyError:
            file = _File()
            self._put(path, file)
        assert isinstance(file, _File)
        if is_emptied:
            file.now.clear()
        self._files[token] = file

    def _pwrite(self, token: int, data: bytes, offset: int) -> None:
        now = self._files[token].now
        now.extend(bytes(max(0, offset + len(data) - len(now))))
        now[offset : offset + len(data)] = data

    def _truncate(self, token: int, size: int) -> None:
        now = self._files[token].now
        now.extend(bytes(max(0, size - len(now))))
        del now[size:]

    def _fsync(self, token: int) -> None:
        file = self._files[token]
        file.synced = bytes(file.now)

    _fdatasync = _fsync

    def _rename(self, source: str, target: str) -> None:
        file = self._at(source)
        assert isinstance(file, _File)
        self._put(target, file)
        self._put(source, None)
        self._renamed.add((source, file))

    def _unlink(self, path: str) -> None:
        file = self._at(path)
        self._renamed = {renamed for renamed in self._renamed if renamed[1] is not file}
        self._put(path, None)

    def _make_folder(self, path: str) -> None:
        if self._names.get(path, [None])[-1] is None:
            self._put(path, FOLDER)

    def _fsync_folder(self, path: str) -> None:
        for name, history in self._names.items():
            if name.rpartition("/")[0] == ("" if path == "." else path):
                del history[:-1]


def without(log: Sequence[Operation], place: Place) -> list[Operation]:
    """The log of stores that lack the sync at ``place``."""
    return [
        evolve(operation, name="promise") if operation.place == place else operation
        for operation in log
    ]


def swaps(
    log: Sequence[Operation], steps: Collection[str]
) -> Iterator[tuple[tuple[Place, Place], list[Operation]]]:
    """Each log in which two operations of one of ``steps`` have changed places, and these places.

    Left out is what comes to the same on any disk: changes of names, or syncs of files, with
    nothing else between.
    """
    for first, second in itertools.combinations(range(len(log)), 2):
        one, other = log[first], log[second]
        between = {operation.name for operation in log[first : second + 1]}
        if one.step not in steps or any(o.step != one.step for o in log[first : second + 1]):
            continue
        if "promise" in between or any(between <= alike for alike in ALIKE):
            continue
        changed = list(log)
        changed[first] = evolve(other, promise=one.promise)
        changed[second] = evolve(one, promise=other.promise)
        yield (one.place, other.place), changed
