"""The power goes at any moment: what was promised is there, and nothing wrong or useless is."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from hubmirror.cache.blobs import FileBlobStore
from hubmirror.cache.files import Files
from hubmirror.cache.interfaces import IPartial
from hubmirror.cache.layout import Layout
from hubmirror.cache.partials import PartialStore
from hubmirror.naming import Digest
from tests.cache.forgetful import (
    SYNCS,
    ForgetfulDisk,
    Killed,
    Operation,
    Place,
    Promise,
    RecordingFiles,
    State,
    swaps,
    without,
)
from tests.fetching.inline import InlinePool, InlineReactor

VALIDATOR = '"one"'
#: The steps that have an order of their own. What prepares them has that of cause and effect.
PROMISING = ("put", "save", "commit", "remove", "close", "throw away")


def digest_of(data: bytes, algorithm: str = "sha256") -> Digest:
    return Digest(algorithm, hashlib.new(algorithm, data).hexdigest())


MANIFEST, OTHER, LAYER, SECOND = b"a manifest", b"another one", b"a layer's bytes", b"second layer"
CONTENT = {
    digest_of(MANIFEST): MANIFEST,
    digest_of(OTHER, "sha512"): OTHER,
    digest_of(LAYER): LAYER,
    digest_of(SECOND): SECOND,
}


class UnsyncedFiles(Files):
    """Real files; nobody pulls the plug while a state is looked at."""

    def fsync(self, fd: int) -> None:
        """Not needed."""

    fdatasync = fsync

    def fsync_folder(self, path: Path) -> None:
        """Not needed."""


def stores(folder: Path, files: Files) -> tuple[FileBlobStore, PartialStore]:
    """The stores as after a start, their threads' work done at once."""
    pool: Any = InlinePool()
    reactor: Any = InlineReactor()
    blobs = FileBlobStore(folder, files, reactor, pool, pool)
    partials = PartialStore(folder, files, reactor, pool, pool)
    result_of(blobs.sweep())
    result_of(partials.sweep())
    return blobs, partials


def result_of(deferred: Deferred[Any]) -> Any:
    """What it has fired with."""
    results: list[Any] = []
    deferred.addBoth(results.append)
    (result,) = results
    if isinstance(result, Failure):
        result.raiseException()
    return result


def write_script(folder: Path) -> list[Operation]:
    """What the stores do to an empty disk in a life that has a bit of all, as a log."""
    files = RecordingFiles(folder)
    files.step = "start"
    blobs, partials = stores(folder, files)
    manifest, other, layer, second = CONTENT

    files.step = "put"
    result_of(blobs.put(manifest, MANIFEST))
    files.promise(kept=frozenset({manifest}))
    files.step = "put"
    result_of(blobs.put(other, OTHER))
    files.promise(kept=frozenset({manifest, other}))

    files.step = "fetch"
    partial = result_of(partials.open(layer, len(LAYER), VALIDATOR))
    partial.write(0, LAYER[:4])
    files.step = "save"
    result_of(partial.save())
    files.promise(pieces=frozenset({(layer, 0, 4)}))
    files.step = "fetch on"
    partial.write(6, LAYER[6:])
    files.step = "save"
    result_of(partial.save())
    files.promise(pieces=frozenset({(layer, 0, 4), (layer, 6, len(LAYER))}))
    files.step = "commit"
    partial.write(4, LAYER[4:6])
    assert result_of(partial.commit())
    files.promise(kept=frozenset({manifest, other, layer}), pieces=frozenset())
    partial.close()

    files.step = "remove"
    files.promise(kept=frozenset({manifest, other}))
    result_of(blobs.remove(layer))
    files.promise(gone=frozenset({layer}))
    files.step = "fetch anew"
    partial = result_of(partials.open(layer, len(LAYER), VALIDATOR))
    partial.write(8, LAYER[8:])
    files.step = "close"
    partial.close()
    files.promise(pieces=frozenset({(layer, 8, len(LAYER))}))

    files.promise(pieces=frozenset())
    for throw_away in (discard, refetch, remove):
        files.step = "reopen"
        partial = result_of(partials.open(layer, len(LAYER), VALIDATOR))
        throw_away(files, partials, partial)
        files.step = "fetch what was thrown away"
        partial = result_of(partials.open(layer, len(LAYER), VALIDATOR))
        partial.write(0, LAYER[:2])
        files.step = "save"
        result_of(partial.save())
        partial.close()
    files.promise(pieces=frozenset({(layer, 0, 2)}))

    files.step = "a second one"
    partial = result_of(partials.open(second, len(SECOND), VALIDATOR))
    partial.write(0, SECOND[:4])
    partial.close()
    files.step = "killed while it is removed"
    files.is_killed_at = "fsync_folder"
    with pytest.raises(Killed):
        result_of(partials.remove(second))
    files.revive()
    files.step = "start again"
    blobs, partials = stores(folder, files)
    files.step = "fetch the second one anew"
    partial = result_of(partials.open(second, len(SECOND), VALIDATOR))
    partial.write(8, SECOND[8:])
    files.step = "at the end"
    partial.close()
    return files.log


def discard(files: RecordingFiles, partials: PartialStore, partial: IPartial) -> None:
    """Throw away the pieces of an open partial."""
    files.step = "throw away"
    partial.discard()


def refetch(files: RecordingFiles, partials: PartialStore, partial: IPartial) -> None:
    """Throw away pieces by opening with another validator."""
    partial.close()
    files.step = "another validator"
    result_of(partials.open(partial.digest, partial.size, "another")).close()


def remove(files: RecordingFiles, partials: PartialStore, partial: IPartial) -> None:
    """Throw away the pieces of a closed partial."""
    partial.close()
    files.step = "throw away"
    result_of(partials.remove(partial.digest))


class Judge:
    """Starts the stores on disks as a power cut leaves them, and looks for broken promises."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._verdicts: dict[tuple[State, Promise], str | None] = {}

    def problem(self, log: Sequence[Operation]) -> str | None:
        """What is wrong if the power goes after an operation of ``log``."""
        disk = ForgetfulDisk()
        for index, operation in enumerate(log):
            try:
                disk.play(operation)
            except KeyError:
                return "can't be done in this order"
            for state in disk.states():
                if (problem := self._verdict(state, operation.promise)) is not None:
                    return f"{operation.step}, after {operation.name} ({index}): {problem}"
        return None

    def _verdict(self, state: State, promise: Promise) -> str | None:
        key = (state, promise)
        if key not in self._verdicts:
            folder = self._folder / "disk"
            folder.mkdir()
            state.write_to(folder)
            self._verdicts[key] = broken(folder, promise, state.is_torn)
            shutil.rmtree(folder)
        return self._verdicts[key]


def broken(folder: Path, promise: Promise, is_torn: bool) -> str | None:
    """What is wrong with the disk in ``folder``."""
    for path in (folder / "blobs").glob("*/*"):
        if digest_of(path.read_bytes(), path.parent.name).encoded != path.name:
            return "a blob has wrong bytes"
    blobs, partials = stores(folder, UnsyncedFiles())
    if (folder / "oci-layout").read_bytes() != b'{"imageLayoutVersion":"1.0.0"}\n':
        return "the layout's marker is wrong"
    if any(result_of(blobs.read(digest)) != CONTENT[digest] for digest in promise.kept):
        return "a blob is lost"
    if any(result_of(blobs.read(digest)) is not None for digest in promise.gone):
        return "what was removed is back"
    if (rest := useless(folder)) != set():
        return f"nobody needs {rest}"
    claimed = {digest: claims(partials, digest) for digest in CONTENT}
    for digest, pieces in claimed.items():
        if any(CONTENT[digest][at] != byte for at, byte in pieces.items()):
            return "a piece has wrong bytes"
    for digest, start, end in () if is_torn else promise.pieces:
        is_whole = result_of(blobs.read(digest)) is not None
        if not is_whole and not claimed[digest].keys() >= set(range(start, end)):
            return "a piece is lost"
    return None


def useless(folder: Path) -> set[str]:
    """The files outside ``blobs`` that are not the two files of a partial blob."""
    layout = Layout(folder)
    useful = {
        path.name
        for digest in CONTENT
        if not layout.blob(digest).exists() and layout.data(digest).exists()
        for path in (layout.data(digest), layout.record(digest))
    }
    return {path.name for path in layout.partial.iterdir()} - useful


def claims(partials: PartialStore, digest: Digest) -> dict[int, int]:
    """The bytes that the partial of ``digest`` says it has, by their place."""
    size = len(CONTENT[digest])
    partial = result_of(partials.open(digest, size, VALIDATOR))
    data = os.pread(partial.fileno(), size, 0)
    there = {at: data[at] for at in range(size) if partial.available(at)}
    partial.discard()
    return there


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> list[Operation]:
    """The script's log."""
    return write_script(tmp_path_factory.mktemp("script"))


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    """One for all tests: a state that was looked at needs no second look."""
    return Judge(tmp_path_factory.mktemp("judge"))


def test_promises_hold_wherever_the_power_goes(log: list[Operation], judge: Judge) -> None:
    """After each operation, in each state that an honest disk may come back in."""
    assert judge.problem(log) is None


def test_no_sync_can_be_left_out(log: list[Operation], judge: Judge) -> None:
    """The test above fails when the code lacks any one of its syncs: none is there for show."""
    places = {operation.place: operation.name for operation in log if operation.name in SYNCS}
    unseen = [place for place in places if judge.problem(without(log, place)) is None]
    print(*unseen, sep="\n")
    assert unseen == []
    assert {"fsync", "fdatasync", "fsync_folder"} == set(places.values())


def test_no_two_steps_can_be_swapped(log: list[Operation], judge: Judge) -> None:
    """Nor does it pass when two operations of one put, save, commit, … change places."""
    seen: dict[tuple[Place, Place], bool] = {}
    for places, changed in swaps(log, PROMISING):
        seen[places] = seen.get(places, False) or judge.problem(changed) is not None
    unseen = [places for places, is_seen in seen.items() if not is_seen]
    print(*unseen, sep="\n")
    assert unseen == []
    assert len(seen) > 20
