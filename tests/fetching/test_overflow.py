"""A disk that becomes full costs no reader its blob."""

from __future__ import annotations

import errno

import pytest

from hubmirror.cache.files import Files
from hubmirror.errors import Denied, UpstreamFailure
from hubmirror.fetching.failures import CannotKeep
from tests.fetching.scene import KIB, LIMITS, MakeScene, make_blob

BLOB = make_blob(200 * KIB)


class FullDisk(Files):
    """Takes ``space`` bytes, and no more."""

    space = 1 << 20

    def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> None:
        self.space -= len(data)
        if self.space < 0:
            raise OSError(errno.ENOSPC, "full")
        super().pwrite(fd, data, offset)


@pytest.mark.parametrize("has_ranges", [True, False])
def test_a_disk_that_becomes_full(make_scene: MakeScene, has_ranges: bool) -> None:
    """Those who read go on past it, without an error; new ones are streamed."""
    files = FullDisk()
    scene = make_scene(files=files)
    files.space = 60 * KIB
    scene.host.has_ranges = has_ranges
    spans: list[tuple[int, int | None]] = [(0, None), (150 * KIB, 20 * KIB), (10 * KIB, None)]
    downloads = [scene.download(*span) for span in spans]
    scene.run()
    for (start, length), download in zip(spans, downloads, strict=True):
        assert download.error is None
        assert bytes(download.data) == BLOB[start : None if length is None else start + length]
    assert scene.committed == []
    assert scene.partials_kept() == []
    assert isinstance(scene.download().error, CannotKeep)


def test_a_slow_reader_holds_the_upstream(make_scene: MakeScene) -> None:
    """Without a disk between, no more comes than the reader takes, but for a window."""
    files = FullDisk()
    scene = make_scene(files=files)
    files.space = 20 * KIB
    download = scene.download()
    scene.run(lambda: len(download.data) > 60 * KIB)
    download.is_slow = True
    for _ in range(300):
        scene.turn()
    assert scene.host.sent < 60 * KIB + 4 * LIMITS.piece + LIMITS.window + 4 * KIB


def test_an_upstream_that_stays_away(make_scene: MakeScene) -> None:
    """Past the disk, too, cuts are mended, and in the end there is an error."""
    files = FullDisk()
    scene = make_scene(files=files)
    files.space = 20 * KIB
    download = scene.download()
    scene.run(lambda: len(download.data) > 60 * KIB)
    scene.host.cuts = [100, 200, 0]
    scene.run(lambda: len(download.data) > 100 * KIB)
    scene.host.cuts = [0] * 1000
    scene.host.connections_end()
    scene.run()
    assert isinstance(download.error, UpstreamFailure)


def test_a_refusal_past_the_disk(make_scene: MakeScene) -> None:
    """Who may not read any more is told so."""
    files = FullDisk()
    scene = make_scene(files=files)
    files.space = 20 * KIB
    is_denied: list[bool] = []
    download = scene.download(remote=scene.remote(lambda: _deny() if is_denied else None))
    scene.run(lambda: len(download.data) > 60 * KIB)
    is_denied.append(True)
    scene.host.connections_end()
    scene.run()
    assert isinstance(download.error, UpstreamFailure)


def _deny() -> None:
    raise Denied
