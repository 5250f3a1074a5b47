"""One fetch: its readers, its end, and that none of what is wrong leaves."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import pytest
from twisted.internet.defer import Deferred

from hubmirror.cache.errors import StoreFailed
from hubmirror.errors import Denied, UpstreamFailure
from hubmirror.fetching.failures import CannotKeep, NobodyMayAsk, Stopped, WrongDigest
from hubmirror.naming import Digest
from tests.conftest import LoggedFailures
from tests.fetching.scene import KIB, LIMITS, MakeScene, make_blob, sha256

BLOB = make_blob(200 * KIB)

#: The first piece is asked for before anybody knows what is there already. As small as here it
#: is read out and forgotten; one of megabytes is hung up on.
_FIRST = LIMITS.piece


def test_a_slow_reader_holds_nobody(make_scene: MakeScene) -> None:
    """The fetch goes on for others, and for the disk, while a client takes nothing."""
    scene = make_scene()
    slow, quick = scene.download(), scene.download()
    slow.is_slow = True
    scene.run()
    assert (bytes(quick.data), len(slow.data)) == (BLOB, 0)
    assert scene.committed != []


@pytest.mark.parametrize(("size", "left_at"), [(16, 4), (200, 104)])
def test_nearly_done_goes_on(make_scene: MakeScene, size: int, left_at: int) -> None:
    """When the last reader leaves, a small blob, and one past half, is fetched to the end."""
    blob = make_blob(size * KIB)
    scene = make_scene(blob)
    download = scene.download()
    scene.run(lambda: len(download.data) >= left_at * KIB)
    download.leave()
    scene.run()
    assert scene.committed == [(scene.digest, len(blob))]


def test_hardly_begun_stops_and_keeps_its_pieces(make_scene: MakeScene) -> None:
    """When the last reader leaves early, the next one goes on from there."""
    scene = make_scene()
    download = scene.download()
    scene.run(lambda: len(download.data) >= 40 * KIB)
    download.leave()
    scene.run()
    assert (scene.fetcher.running(), scene.committed) == ([], [])
    assert scene.host.sent < 90 * KIB
    again = scene.download()
    scene.run()
    assert bytes(again.data) == BLOB
    assert scene.host.sent <= len(BLOB) + _FIRST


def test_a_clients_own_credential_leaves_with_it(make_scene: MakeScene) -> None:
    """However small or near its end: without its reader a private blob is not fetched on."""
    scene = make_scene()
    download = scene.download(remote=scene.remote(needs_reader=True))
    scene.run(lambda: len(download.data) >= 150 * KIB)
    download.leave()
    scene.run()
    assert scene.committed == []
    assert scene.host.sent < len(BLOB)


def test_a_reader_who_is_there_lends_its_credential(make_scene: MakeScene) -> None:
    """What is asked after the first has left is asked in the name of another."""
    scene = make_scene()
    scene.host.credential = "good"
    names: list[str] = []

    def authorize(name: str) -> Callable[[], str]:
        return lambda: names.append(name) or "good"  # type: ignore[func-returns-value]

    first = scene.download(remote=scene.remote(authorize("first"), needs_reader=True))
    second = scene.download(remote=scene.remote(authorize("second"), needs_reader=True))
    scene.run(lambda: len(first.data) >= 40 * KIB)
    first.leave()
    del names[:]
    scene.run()
    assert bytes(second.data) == BLOB
    assert set(names) == {"second"}


def test_a_wrong_digest_cuts_everybody(make_scene: MakeScene) -> None:
    """Nobody gets the end of it, nothing is kept, it is counted; and then it is fetched anew."""
    scene = make_scene(BLOB[:-1] + b"?", digest=sha256(BLOB))
    readers = [scene.download(), scene.download(150 * KIB), scene.download(len(BLOB) - 10)]
    inner = scene.download(0, 150 * KIB)
    scene.run()
    assert [type(each.error) for each in readers] == [WrongDigest] * 3
    assert [len(each.data) for each in readers] == [len(BLOB) - 64, 50 * KIB - 64, 0]
    assert inner.is_done
    assert scene.fetcher.wrong_digests == 1
    assert scene.committed == []
    scene.host.blob = BLOB
    again = scene.download()
    scene.run()
    assert bytes(again.data) == BLOB


def test_the_end_waits_for_the_digest(make_scene: MakeScene) -> None:
    """While the hash is on its way all but the last bytes are given, to whoever asks how."""
    scene = make_scene()
    whole, tail, short = scene.download(), scene.download(-1 + len(BLOB)), scene.download(0, KIB)
    scene.run(lambda: scene.host.sent > 190 * KIB)
    scene.pool.is_held = True
    scene.run(lambda: scene.host.is_idle)
    assert (len(whole.data), len(tail.data), len(short.data)) == (len(BLOB) - 64, 0, KIB)
    late = scene.download()
    scene.turn()
    assert len(late.data) == len(BLOB) - 64
    scene.pool.release()
    scene.run()
    assert [bytes(each.data) for each in (whole, tail, late)] == [BLOB, BLOB[-1:], BLOB]


def test_the_index_is_told_first(make_scene: MakeScene) -> None:
    """Whoever has the last byte may ask again at once: then the blob is known to be kept."""
    scene = make_scene(make_blob(KIB))
    seen: list[bool] = []

    async def commit(_digest: Digest, _size: int) -> None:
        seen.append(download.is_done)

    scene.restart(commit)
    download = scene.download()
    scene.run()
    assert seen == [False]
    assert download.is_done


def test_an_index_that_fails_costs_no_reader(
    make_scene: MakeScene, logged_failures: LoggedFailures
) -> None:
    """The bytes are right, so they go out; what went wrong is in the log."""
    scene = make_scene()

    async def commit(_digest: Digest, _size: int) -> None:
        raise StoreFailed("no index")

    scene.restart(commit)
    download = scene.download()
    scene.run()
    assert bytes(download.data) == BLOB
    assert len(logged_failures.take(StoreFailed)) == 1


def test_an_empty_blob(make_scene: MakeScene) -> None:
    """No bytes are bytes, too."""
    scene = make_scene(b"")
    download = scene.download()
    scene.run()
    assert (download.size, download.is_done) == (0, True)
    assert scene.committed == [(scene.digest, 0)]


def test_a_credential_that_is_taken_back(make_scene: MakeScene) -> None:
    """The fetch ends for want of one, and keeps its pieces."""
    scene = make_scene()
    credentials: list[str] = ["good"] * 5
    remote = scene.remote(lambda: credentials.pop() if credentials else _deny())
    download = scene.download(remote=remote)
    scene.run()
    assert isinstance(download.error, NobodyMayAsk)
    before = scene.host.sent
    assert 0 < before <= 40 * KIB
    again = scene.download()
    scene.run()
    assert bytes(again.data) == BLOB
    assert scene.host.sent <= len(BLOB) + _FIRST


def test_what_runs_is_shown(make_scene: MakeScene) -> None:
    """Digest, size, bytes that are there, readers, connections."""
    scene = make_scene()
    scene.download()
    download = scene.download(150 * KIB)
    scene.run(lambda: len(download.data) > 10 * KIB)
    (status,) = scene.fetcher.running()
    assert (status.digest, status.size) == (scene.digest, len(BLOB))
    assert (status.readers, status.connections) == (2, 4)
    assert status.have == scene.host.sent
    scene.run()
    assert scene.fetcher.running() == []


def _deny() -> str:
    raise Denied


def test_one_that_wants_nothing_ends_nothing(make_scene: MakeScene) -> None:
    """A reader that is done before the first byte leaves those alone who come at the same time."""
    scene = make_scene()
    nothing, everything = scene.download(len(BLOB)), scene.download()
    scene.run()
    assert nothing.is_done
    assert bytes(everything.data) == BLOB


def test_one_that_comes_while_it_stops(make_scene: MakeScene) -> None:
    """It waits until the pieces are on the disk, and goes on from there."""
    scene = make_scene()
    first = scene.download()
    scene.run(lambda: len(first.data) >= 40 * KIB)
    scene.pool.is_held = True
    first.leave()
    second = scene.download()
    scene.turn()
    sent = scene.host.sent
    for _ in range(20):
        scene.turn()
    assert scene.host.sent == sent
    scene.pool.release()
    scene.run()
    assert bytes(second.data) == BLOB
    assert scene.host.sent <= len(BLOB) + _FIRST


def test_a_daemon_that_ends_while_it_begins(make_scene: MakeScene) -> None:
    """Whoever waited is told; nothing is fetched on."""
    scene = make_scene()
    download = scene.download()
    scene.run(lambda: scene.host.asked != [])
    Deferred.fromCoroutine(scene.fetcher.close())
    scene.run()
    assert isinstance(download.error, Stopped)
    assert scene.committed == []


def test_a_fault_of_our_own(make_scene: MakeScene, logged_failures: LoggedFailures) -> None:
    """It is logged, and readers get an error that tells nothing of it."""
    scene = make_scene()
    answers = [None]

    def authorize() -> str | None:
        return answers.pop()

    download = scene.download(remote=scene.remote(authorize))
    scene.run()
    assert isinstance(download.error, UpstreamFailure)
    assert "list" not in str(download.error)
    assert len(logged_failures.take(IndexError)) == 1


def test_too_many_open_files(make_scene: MakeScene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the blob is to be streamed past the store."""

    def dup(_fd: int) -> int:
        raise OSError(errno.EMFILE, "too many")

    scene = make_scene(make_blob(KIB))
    with monkeypatch.context() as patched:
        patched.setattr(os, "dup", dup)
        download = scene.download()
        scene.run()
    assert isinstance(download.error, CannotKeep)
