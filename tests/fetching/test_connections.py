"""Several connections bring one blob, and whatever befalls them they don't bring it twice."""

from __future__ import annotations

import pytest

from hubmirror.errors import UpstreamFailure
from hubmirror.upstream.blobs import BlobChanged
from tests.fetching.host import HUB, STALL
from tests.fetching.scene import KIB, LIMITS, Download, MakeScene, Scene, make_blob

BLOB = make_blob(200 * KIB)
PIECE = LIMITS.piece


def _is_right(download: Download) -> bool:
    assert download.error is None
    return bytes(download.data) == BLOB


def test_four_bring_it_in_parallel(scene: Scene) -> None:
    """Where the host limits each connection, that is what makes it quick."""
    download = scene.download()
    turns = 0

    def count() -> bool:
        nonlocal turns
        turns += 1
        return download.is_over

    scene.run(count)
    assert _is_right(download)
    assert scene.host.most_connections == 4
    assert turns < len(BLOB) / KIB / 3  # at a KiB a turn, one connection would take them all
    assert scene.host.sent == len(BLOB)


def test_the_url_is_asked_for_once(scene: Scene) -> None:
    """All further pieces come straight from the blob host, in pieces that don't overlap."""
    scene.download()
    scene.run()
    assert len(scene.host.ranges(HUB)) == 1
    assert sorted(scene.host.ranges(), key=lambda text: int(str(text)[6:].split("-")[0])) == [
        f"bytes={start}-{start + PIECE - 1}" for start in range(0, len(BLOB), PIECE)
    ]


def test_the_far_end_does_not_wait_for_the_front(scene: Scene) -> None:
    """A client that comes later with a range far behind is served before the front is done."""
    whole = scene.download()
    scene.run(lambda: len(whole.data) > 10 * KIB)
    far = scene.download(180 * KIB, 10 * KIB)
    scene.run(lambda: far.is_over)
    assert bytes(far.data) == BLOB[180 * KIB : 190 * KIB]
    assert scene.host.sent < 100 * KIB
    scene.run()
    assert _is_right(whole)
    assert scene.host.sent == len(BLOB)


def test_parallel_ranges_of_a_client(scene: Scene) -> None:
    """A client that fetches a layer in ranges side by side gets them side by side."""
    parts = [scene.download(start, 50 * KIB) for start in range(0, len(BLOB), 50 * KIB)]
    scene.run(lambda: all(len(each.data) > KIB for each in parts))
    assert scene.host.sent < 40 * KIB
    scene.run()
    assert b"".join(bytes(each.data) for each in parts) == BLOB
    assert scene.host.sent == len(BLOB)


@pytest.mark.parametrize("size", [PIECE - 1, PIECE, 2 * PIECE - 1])
def test_a_small_blob_has_one_connection(make_scene: MakeScene, size: int) -> None:
    """Below two pieces there is nothing to share."""
    scene = make_scene(make_blob(size))
    scene.download()
    scene.run()
    assert scene.host.most_connections == 1
    assert scene.host.sent == size


def test_one_connection_where_ranges_are_refused(scene: Scene) -> None:
    """A host that sends the whole only is asked for it once."""
    scene.host.has_ranges = False
    downloads = [scene.download(), scene.download(150 * KIB, KIB)]
    scene.run()
    assert _is_right(downloads[0])
    assert bytes(downloads[1].data) == BLOB[150 * KIB : 151 * KIB]
    assert scene.host.most_connections == 1
    assert scene.host.sent == len(BLOB)


def test_ranges_refused_in_the_middle(scene: Scene) -> None:
    """The whole comes again, and of it only what is missing is taken."""
    download = scene.download()
    scene.run(lambda: len(download.data) > 20 * KIB)
    scene.host.has_ranges = False
    scene.run()
    assert _is_right(download)


def test_five_cuts(scene: Scene) -> None:
    """A fetch that is cut goes on from that byte."""
    scene.host.cuts = [5000, 100, 7000, 0, 3333]
    download = scene.download()
    scene.run()
    assert _is_right(download)
    assert scene.host.sent <= 1.05 * len(BLOB)


def test_every_answer_is_cut(scene: Scene) -> None:
    """As long as bytes come at all, it goes on: with one connection, for it is the best so."""
    scene.host.cuts = [1000] * 1000
    download = scene.download()
    scene.run()
    assert _is_right(download)
    assert scene.host.sent == len(BLOB)


def test_a_stalled_read(scene: Scene) -> None:
    """After the time limit the bytes are asked for on another connection."""
    scene.host.stalls = [False, True]
    download = scene.download()
    scene.run()
    assert _is_right(download)
    assert scene.clock.seconds() > STALL
    assert scene.host.sent == len(BLOB)


def test_a_host_in_trouble_in_the_middle(scene: Scene) -> None:
    """5xx and 429 pass, after a while."""
    download = scene.download()
    scene.run(lambda: len(download.data) > 20 * KIB)
    scene.host.statuses = [500, 503, 502, 504]
    scene.run()
    assert _is_right(download)
    assert scene.host.sent == len(BLOB)


def test_a_host_that_stays_in_trouble(scene: Scene) -> None:
    """In the end the readers are told; what came is kept."""
    download = scene.download()
    scene.run(lambda: len(download.data) > 20 * KIB)
    scene.host.statuses = [500] * 1000
    scene.run()
    assert isinstance(download.error, UpstreamFailure)
    assert download.error.status in (502, 503)
    assert scene.fetcher.running() == []
    scene.host.statuses = []
    scene.clock.advance(60)  # any pause that the trouble has brought
    before = scene.host.sent
    again = scene.download()
    scene.run()
    assert _is_right(again)
    assert scene.host.sent - before <= len(BLOB) - 20 * KIB + PIECE


def test_expired_urls(scene: Scene) -> None:
    """A signed URL whose time is over is asked for anew; nothing comes twice."""
    download = scene.download()
    for size in (20, 100):
        scene.run(lambda size=size: len(download.data) > size * KIB)  # type: ignore[misc]
        scene.host.signature += 1
    scene.run()
    assert _is_right(download)
    assert len(scene.host.ranges(HUB)) >= 3
    assert scene.host.sent == len(BLOB)


@pytest.mark.parametrize("change", ["etag", "length"])
def test_another_blob_in_the_middle(scene: Scene, change: str) -> None:
    """Its pieces are thrown away, its readers fail, and the next fetch begins at the start."""
    download = scene.download()
    scene.run(lambda: len(download.data) > 20 * KIB)
    if change == "etag":
        scene.host.etag = '"v2"'
    else:
        scene.host.blob = BLOB + b"!"
    scene.run()
    assert isinstance(download.error, BlobChanged)
    scene.host.blob = BLOB
    before = scene.host.sent
    again = scene.download()
    scene.run()
    assert _is_right(again)
    assert scene.host.sent - before == len(BLOB)


def test_a_host_without_etags(scene: Scene) -> None:
    """The length is enough."""
    scene.host.etag = None
    scene.host.cuts = [100, 100]
    download = scene.download()
    scene.run()
    assert _is_right(download)


def test_a_host_that_takes_one_connection(scene: Scene) -> None:
    """Those that it refuses leave their work to the one that it takes."""
    download = scene.download()
    scene.run(lambda: len(download.data) > KIB)
    scene.host.statuses = [429] * 3
    scene.run()
    assert _is_right(download)
    assert scene.host.sent == len(BLOB)
