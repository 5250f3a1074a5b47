"""Tests of where things lie."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hubmirror.cache.files import Files
from hubmirror.cache.layout import Layout, digest_of
from hubmirror.naming import Digest

DIGEST = Digest("sha256", "ab" * 32)


def test_blobs_lie_as_in_an_image_layout(tmp_path: Path) -> None:
    """OCI image-spec: the marker, and ``blobs/<algorithm>/<encoded>``."""
    layout = Layout(tmp_path)
    layout.prepare(Files())
    assert layout.blob(DIGEST) == tmp_path / "blobs" / "sha256" / DIGEST.encoded
    assert layout.blob(DIGEST).parent.is_dir()
    assert json.loads((tmp_path / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}


def test_preparing_again_mends(tmp_path: Path) -> None:
    """A marker that a crash left empty is written again; the rest stays."""
    layout = Layout(tmp_path)
    layout.prepare(Files())
    layout.blob(DIGEST).write_bytes(b"kept")
    (tmp_path / "oci-layout").write_bytes(b"")
    layout.prepare(Files())
    assert layout.blob(DIGEST).read_bytes() == b"kept"
    assert (tmp_path / "oci-layout").read_bytes() != b""


def test_the_way_back(tmp_path: Path) -> None:
    """The names of a partial blob's files tell its digest."""
    layout = Layout(tmp_path)
    assert digest_of(layout.data(DIGEST).stem) == digest_of(layout.record(DIGEST).stem) == DIGEST


@pytest.mark.parametrize("stem", ["", "sha256", "sha256-abc", "md5-" + "a" * 32, "-" + "a" * 64])
def test_other_names_are_no_digests(stem: str) -> None:
    """Nothing is made of them."""
    assert digest_of(stem) is None


def test_temporary_paths_differ(tmp_path: Path) -> None:
    """Two that write at once don't meet."""
    assert Layout(tmp_path).temporary() != Layout(tmp_path).temporary()
