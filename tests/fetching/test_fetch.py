"""Blobs are fetched once, for all who want them, or it is said why not."""

from __future__ import annotations

import errno
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from hubmirror.cache.files import Files
from hubmirror.errors import Denied, UpstreamFailure
from hubmirror.fetching.failures import CannotKeep, Stopped
from hubmirror.upstream.blobs import Refused
from tests.fetching.scene import KIB, LIMITS, MakeScene, Scene, make_blob

BLOB = make_blob(200 * KIB)


def test_one_reader(make_scene: MakeScene) -> None:
    """A whole blob arrives, is kept and told of, and came once."""
    scene = make_scene()
    download = scene.download()
    scene.run()
    assert bytes(download.data) == BLOB
    assert scene.host.sent == len(BLOB)
    assert scene.committed == [(scene.digest, len(BLOB))]


def test_many_readers_of_every_kind(make_scene: MakeScene) -> None:
    """Whole GETs, overlapping and far-apart ranges at once: the blob host sends each byte once."""
    scene = make_scene()
    spans: list[tuple[int, int | None]] = [(0, None)] * 6
    spans += [(start * KIB, 30 * KIB) for start in (0, 10, 25, 90, 150, 170)]
    spans += [(199 * KIB + 1000, None), (77_777, 1), (100 * KIB, None), (5, 3)]
    downloads = [scene.download(*span) for span in spans]
    scene.run()
    for (start, length), download in zip(spans, downloads, strict=True):
        assert bytes(download.data) == BLOB[start : None if length is None else start + length]
    assert scene.host.sent == len(BLOB)
    assert len(scene.committed) == 1


def test_those_who_come_later_join(make_scene: MakeScene) -> None:
    """A reader that comes in the middle gets what is there, and nothing comes twice."""
    scene = make_scene()
    first = scene.download()
    scene.run(lambda: len(first.data) > 50 * KIB)
    later = scene.download()
    scene.turn()
    assert len(later.data) > 50 * KIB
    scene.run()
    assert bytes(later.data) == BLOB
    assert scene.host.sent == len(BLOB)


def test_one_that_leaves_takes_nothing_from_others(make_scene: MakeScene) -> None:
    """Neither the one who began the fetch, nor one who still waits for it to open."""
    scene = make_scene()
    first, second = scene.download(), scene.download()
    first.leave()
    third = scene.download()
    scene.run(lambda: len(second.data) > 20 * KIB)
    second.leave()
    scene.run()
    assert bytes(third.data) == BLOB
    assert scene.host.sent == len(BLOB)


def test_all_leave_before_it_opens(make_scene: MakeScene) -> None:
    """Then nothing is fetched, and the next one begins anew."""
    scene = make_scene()
    scene.download().leave()
    scene.run()
    assert scene.host.sent == 0
    later = scene.download()
    scene.run()
    assert bytes(later.data) == BLOB


def test_other_limits_hold_from_the_next_fetch_on(make_scene: MakeScene) -> None:
    """A fetch that runs keeps those of its start: nobody waits for it, and it goes on."""
    scene = make_scene()
    scene.fetcher.limit(evolve(LIMITS, finish_below=300 * KIB))
    download = scene.download()
    scene.run(lambda: len(download.data) > 20 * KIB)
    scene.fetcher.limit(LIMITS)
    download.leave()
    scene.run()
    assert scene.committed == [(scene.digest, len(BLOB))]


def test_a_restart_goes_on(make_scene: MakeScene) -> None:
    """What came before the daemon ended is not fetched again."""
    scene = make_scene()
    download = scene.download()
    scene.run(lambda: len(download.data) >= 100 * KIB)
    scene.host.step(0)
    closing = Deferred.fromCoroutine(scene.fetcher.close())
    scene.run()
    assert closing.called
    assert isinstance(download.error, Stopped)
    before = scene.host.sent
    scene.restart()
    again = scene.download()
    scene.run()
    assert bytes(again.data) == BLOB
    assert scene.host.sent - before <= len(BLOB) - 100 * KIB + KIB
    assert scene.host.sent <= 1.05 * len(BLOB)


def test_a_start_behind_the_end(make_scene: MakeScene) -> None:
    """The caller learns the size, and can refuse the range itself."""
    scene = make_scene()
    download = scene.download(10**9)
    scene.run()
    assert (download.size, bytes(download.data)) == (len(BLOB), b"")


def test_a_refusal_concerns_one(make_scene: MakeScene) -> None:
    """The registry's own answer goes to whose credential it was; others fare as theirs does."""
    scene = make_scene()
    scene.host.credential = "good"
    bad = [scene.download(remote=scene.remote(lambda: "bad")) for _ in range(2)]
    good = scene.download(remote=scene.remote(lambda: "good"))
    scene.run()
    for each in bad:
        assert isinstance(each.error, Refused)
        assert each.error.answer.status == 401
        assert each.error.answer.header("WWW-Authenticate") is not None
        assert each.error.answer.body == b"{}"
    assert bytes(good.data) == BLOB
    assert scene.host.sent == len(BLOB)


def test_who_has_no_credential_asks_nothing(make_scene: MakeScene) -> None:
    """What ``authorize`` raises comes out of ``read``."""
    scene = make_scene()
    denied = scene.download(remote=scene.remote(_deny))
    assert isinstance(denied.error, Denied)
    assert scene.host.asked == []


def test_an_upstream_that_fails_at_once(make_scene: MakeScene) -> None:
    """All who wait are told by one attempt, and later ones try again."""
    scene = make_scene()
    scene.host.lies = {"Content-Range": "bytes 1-2/3"}
    downloads = [scene.download() for _ in range(3)]
    scene.run()
    assert {type(each.error) for each in downloads} == {UpstreamFailure}
    assert len(scene.host.ranges()) == 1
    scene.host.lies = {}
    again = scene.download()
    scene.run()
    assert bytes(again.data) == BLOB


def test_a_blob_host_in_trouble_is_asked_again(make_scene: MakeScene) -> None:
    """Twice, after a pause each; then the trouble is told."""
    scene = make_scene()
    scene.host.statuses = [503, 500]
    download = scene.download()
    scene.run()
    assert bytes(download.data) == BLOB


def test_a_blob_without_a_length(make_scene: MakeScene) -> None:
    """Nothing can be made of it here: it is to be streamed."""
    scene = make_scene()
    scene.host.has_ranges = scene.host.has_length = False
    download = scene.download()
    scene.run(lambda: download.is_over)
    assert isinstance(download.error, CannotKeep)


class NoDisk(Files):
    """Can't open a file once it ``is_gone``."""

    is_gone = False

    def open(self, path: Path, flags: int) -> int:
        if self.is_gone:
            raise OSError(errno.EROFS, "read-only")
        return super().open(path, flags)


def test_a_store_that_takes_nothing(make_scene: MakeScene) -> None:
    """The blob is to be streamed; for a while the store is not even asked."""
    files = NoDisk()
    scene = make_scene(files=files)
    files.is_gone = True
    download = scene.download()
    scene.run(lambda: download.is_over)
    assert isinstance(download.error, CannotKeep)
    asked = len(scene.host.asked)
    again = scene.download()
    assert isinstance(again.error, CannotKeep)
    scene.clock.advance(LIMITS.store_pause)
    later = scene.download()
    scene.run(lambda: later.is_over)
    assert len(scene.host.asked) > asked


def test_a_fetcher_that_is_closed(make_scene: MakeScene) -> None:
    """It begins nothing."""
    scene = make_scene()
    scene.close()
    download = scene.download()
    assert isinstance(download.error, CannotKeep)
    assert scene.host.asked == []


_spans = st.tuples(st.integers(0, 50_000), st.none() | st.integers(0, 50_000))


@given(
    size=st.integers(0, 40_000),
    spans=st.lists(_spans, min_size=1, max_size=6),
    cuts=st.lists(st.integers(0, 9000), max_size=6),
    has_ranges=st.booleans(),
    amount=st.integers(500, 9000),
    leaver=st.integers(0, 20),
)
@settings(max_examples=40)
def test_each_gets_what_it_asked_for(
    size: int,
    spans: list[tuple[int, int | None]],
    cuts: list[int],
    has_ranges: bool,
    amount: int,
    leaver: int,
) -> None:
    """Any spans, any cuts, some come late, one leaves: right bytes, or too many cuts in a row."""
    blob = make_blob(size)
    with TemporaryDirectory() as folder:
        scene = Scene(Path(folder), blob)
        scene.host.cuts, scene.host.has_ranges = list(cuts), has_ranges
        first = [scene.download(*span) for span in spans[::2]]
        for _ in range(leaver):
            scene.turn(amount)
        later = [scene.download(*span) for span in spans[1::2]]
        if leaver % 3 == 0:
            first[0].leave()
        scene.run(amount=amount)
        for (start, length), each in zip(
            [*spans[::2], *spans[1::2]], [*first, *later], strict=True
        ):
            expected = blob[start : None if length is None else start + length]
            assert expected.startswith(bytes(each.data))
            assert (
                bytes(each.data) == expected
                or (each is first[0] and leaver % 3 == 0)
                or (each.error is not None and len(cuts) >= LIMITS.attempts)
            )
        scene.close()


def _deny() -> str:
    raise Denied
