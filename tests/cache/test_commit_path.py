"""The power goes at any moment: what was promised is there, and nothing wrong or useless is."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
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
LAYER_DIGEST, SECOND_DIGEST = digest_of(LAYER), digest_of(SECOND)
CONTENT = {
    digest_of(MANIFEST): MANIFEST,
    digest_of(OTHER, "sha512"): OTHER,
    LAYER_DIGEST: LAYER,
    SECOND_DIGEST: SECOND,
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
    keep_manifests(files, blobs)
    fetch_layer(files, partials)
    lose_and_fetch_layer(files, blobs, partials)
    for throw_away in (discard, refetch, remove):
        fetch_once_more(files, partials, throw_away)
    files.promise(pieces=frozenset({(LAYER_DIGEST, 0, 2)}))
    be_killed(files, partials)
    files.step = "start again"
    _, partials = stores(folder, files)
    files.step = "fetch the second one anew"
    partial = result_of(partials.open(SECOND_DIGEST, len(SECOND), VALIDATOR))
    partial.write(8, SECOND[8:])
    partial.close()
    return files.log


def keep_manifests(files: RecordingFiles, blobs: FileBlobStore) -> None:
    """One of each algorithm."""
    kept: set[Digest] = set()
    for data, algorithm in ((MANIFEST, "sha256"), (OTHER, "sha512")):
        files.step = "put"
        digest = digest_of(data, algorithm)
        result_of(blobs.put(digest, data))
        kept.add(digest)
        files.promise(kept=frozenset(kept))


def fetch_layer(files: RecordingFiles, partials: PartialStore) -> None:
    """Saved twice on its way, and committed."""
    files.step = "fetch"
    partial = result_of(partials.open(LAYER_DIGEST, len(LAYER), VALIDATOR))
    partial.write(0, LAYER[:4])
    files.step = "save"
    result_of(partial.save())
    files.promise(pieces=frozenset({(LAYER_DIGEST, 0, 4)}))
    files.step = "fetch"
    partial.write(6, LAYER[6:])
    files.step = "save"
    result_of(partial.save())
    files.promise(pieces=frozenset({(LAYER_DIGEST, 0, 4), (LAYER_DIGEST, 6, len(LAYER))}))
    files.step = "commit"
    partial.write(4, LAYER[4:6])
    assert result_of(partial.commit())
    files.promise(kept=frozenset(CONTENT) - {SECOND_DIGEST}, pieces=frozenset())
    partial.close()


def lose_and_fetch_layer(
    files: RecordingFiles, blobs: FileBlobStore, partials: PartialStore
) -> None:
    """The blob is removed, and a part of it comes again."""
    files.step = "remove"
    files.promise(kept=frozenset(CONTENT) - {SECOND_DIGEST, LAYER_DIGEST})
    result_of(blobs.remove(LAYER_DIGEST))
    files.promise(gone=frozenset({LAYER_DIGEST}))
    files.step = "fetch"
    partial = result_of(partials.open(LAYER_DIGEST, len(LAYER), VALIDATOR))
    partial.write(8, LAYER[8:])
    files.step = "close"
    partial.close()
    files.promise(pieces=frozenset({(LAYER_DIGEST, 8, len(LAYER))}))


def fetch_once_more(
    files: RecordingFiles,
    partials: PartialStore,
    throw_away: Callable[[RecordingFiles, PartialStore, IPartial], None],
) -> None:
    """The pieces are thrown away, and others come in their place."""
    files.promise(pieces=frozenset())
    files.step = "reopen"
    throw_away(files, partials, result_of(partials.open(LAYER_DIGEST, len(LAYER), VALIDATOR)))
    files.step = "fetch what was thrown away"
    partial = result_of(partials.open(LAYER_DIGEST, len(LAYER), VALIDATOR))
    partial.write(0, LAYER[:2])
    files.step = "save"
    result_of(partial.save())
    partial.close()


def be_killed(files: RecordingFiles, partials: PartialStore) -> None:
    """In the middle of a removal, which the next start knows nothing of."""
    files.step = "fetch the second one"
    partial = result_of(partials.open(SECOND_DIGEST, len(SECOND), VALIDATOR))
    partial.write(0, SECOND[:4])
    partial.close()
    files.is_killed_at = "fsync_folder"
    with pytest.raises(Killed):
        result_of(partials.remove(SECOND_DIGEST))
    files.revive()


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
    if (rest := useless(folder)) != set():
        return f"nobody needs {rest}"
    kept = {digest for digest in CONTENT if result_of(blobs.read(digest)) == CONTENT[digest]}
    if not promise.kept <= kept:
        return "a blob is lost"
    if promise.gone & kept:
        return "what was removed is back"
    pieces = promise.pieces if not is_torn else frozenset()
    return broken_pieces(partials, {piece for piece in pieces if piece[0] not in kept})


def broken_pieces(partials: PartialStore, promised: set[tuple[Digest, int, int]]) -> str | None:
    """What is wrong with the partial blobs."""
    claimed = {digest: claims(partials, digest) for digest in CONTENT}
    for digest, pieces in claimed.items():
        if any(CONTENT[digest][at] != byte for at, byte in pieces.items()):
            return "a piece has wrong bytes"
    for digest, start, end in promised:
        if not claimed[digest].keys() >= set(range(start, end)):
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
    assert unseen == []
    assert {"fsync", "fdatasync", "fsync_folder"} == set(places.values())


def test_no_two_steps_can_be_swapped(log: list[Operation], judge: Judge) -> None:
    """Nor does it pass when two operations of one put, save, commit, … change places."""
    seen: dict[tuple[Place, Place], bool] = {}
    for places, changed in swaps(log, PROMISING):
        seen[places] = seen.get(places, False) or judge.problem(changed) is not None
    unseen = [places for places, is_seen in seen.items() if not is_seen]
    assert unseen == []
    assert len(seen) > 20
