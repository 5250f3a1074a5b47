"""Where images can be imported from."""

from __future__ import annotations

import gzip
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hubmirror.cache.archive import ArchiveError
from hubmirror.cache.sources import Named, Source, open_source
from hubmirror.demo.image import hello_image
from hubmirror.naming import Digest
from tests.support.layouts import write_layout
from tests.support.programs import Program, run

IMAGE = hello_image()
ABSENT = Digest("sha256", "0" * 64)


@pytest.fixture
def opened() -> Iterator[list[int]]:
    """Descriptors that end with the test."""
    fds: list[int] = []
    yield fds
    for fd in fds:
        os.close(fd)


def source_at(path: Path, opened: list[int]) -> Source:
    """The source there."""
    opened.append(os.open(path, os.O_RDONLY))
    return open_source(opened[-1])


def content(source: Source, digest: Digest) -> bytes | None:
    """A blob's bytes."""
    part = source.open(digest)
    if part is None:
        return None
    try:
        return os.pread(part.fd, part.length, part.start)
    finally:
        part.close()


def pack(folder: Path, path: Path) -> None:
    """The folder as a tar, as ``tar -C folder .`` makes it."""
    with tarfile.open(path, "w") as tar:
        tar.add(folder, ".")


@pytest.mark.parametrize("is_packed", [False, True])
def test_layout(tmp_path: Path, opened: list[int], is_packed: bool) -> None:
    """Names, descriptors and blobs of an OCI image layout, packed or not."""
    write_layout(tmp_path / "layout", IMAGE)
    pack(tmp_path / "layout", tmp_path / "layout.tar")

    source = source_at(tmp_path / ("layout.tar" if is_packed else "layout"), opened)

    assert source.images() == [Named("image", IMAGE.index.digest, IMAGE.index.media_type)]
    assert content(source, IMAGE.index.digest) == IMAGE.index.content
    assert content(source, IMAGE.blobs[0].digest) == IMAGE.blobs[0].source
    assert content(source, ABSENT) is None


def test_the_full_name_comes_first(tmp_path: Path, opened: list[int]) -> None:
    """What docker saves tells the whole name in an annotation of its own."""
    write_layout(tmp_path, IMAGE)
    index = json.loads((tmp_path / "index.json").read_text())
    index["manifests"][0]["annotations"]["io.containerd.image.name"] = "docker.io/a/b:1"
    (tmp_path / "index.json").write_text(json.dumps(index))

    assert source_at(tmp_path, opened).images()[0].name == "docker.io/a/b:1"


def registry_folder(folder: Path) -> None:
    """What a registry keeps of one image: a tag, and a revision without one."""
    top = folder / "docker/registry/v2"
    for digest, data in (
        *((one.digest, one.content) for one in (IMAGE.index, *IMAGE.manifests)),
        *((blob.digest, blob.source) for blob in IMAGE.blobs),
    ):
        path = top / "blobs/sha256" / digest.encoded[:2] / digest.encoded / "data"
        path.parent.mkdir(parents=True)
        assert isinstance(data, bytes)
        path.write_bytes(data)
    manifests = top / "repositories/library/busybox/_manifests"
    for path, digest in (
        (manifests / "tags/1/current/link", IMAGE.index.digest),
        (manifests / f"revisions/sha256/{IMAGE.index.digest.encoded}/link", IMAGE.index.digest),
        (
            manifests / f"revisions/sha256/{IMAGE.manifests[0].digest.encoded}/link",
            IMAGE.manifests[0].digest,
        ),
    ):
        path.parent.mkdir(parents=True)
        path.write_text(str(digest))


@pytest.mark.parametrize("below", [".", "docker", "docker/registry/v2"])
def test_registry_folder(tmp_path: Path, opened: list[int], below: str) -> None:
    """Tags, then revisions that no tag names; wherever in the folder one points to."""
    registry_folder(tmp_path)

    source = source_at(tmp_path / below, opened)

    amd64 = IMAGE.manifests[0].digest
    assert source.images() == [
        Named("library/busybox:1", IMAGE.index.digest),
        Named(f"library/busybox@{amd64}", amd64),
    ]
    assert content(source, IMAGE.blobs[0].digest) == IMAGE.blobs[0].source
    assert content(source, ABSENT) is None


def test_a_torn_link_is_no_image(tmp_path: Path, opened: list[int]) -> None:
    """A tag without a digest is left out."""
    registry_folder(tmp_path)
    manifests = tmp_path / "docker/registry/v2/repositories/library/busybox/_manifests"
    (manifests / "tags/1/current/link").write_text("sha256:12")

    names = [named.name for named in source_at(tmp_path, opened).images()]

    assert names == [
        f"library/busybox@{digest}"
        for digest in sorted((IMAGE.index.digest, IMAGE.manifests[0].digest), key=str)
    ]


@pytest.mark.parametrize(
    ("index", "why"),
    [
        (None, "neither an OCI image layout nor"),
        ("{", "not JSON"),
        ("[]", "no JSON object"),
        ("{}", "lists no manifests"),
        ('{"manifests": [1]}', "descriptor"),
        ('{"manifests": [{"digest": "sha256:1", "mediaType": "a/b"}]}', "descriptor"),
    ],
)
def test_no_layout(tmp_path: Path, opened: list[int], index: str | None, why: str) -> None:
    """What is no layout is told so."""
    if index is not None:
        (tmp_path / "index.json").write_text(index)

    with pytest.raises(ArchiveError, match=why):
        source_at(tmp_path, opened).images()


def test_compressed(tmp_path: Path, opened: list[int]) -> None:
    """A compressed tar has no parts that could be read by their place."""
    write_layout(tmp_path / "layout", IMAGE)
    pack(tmp_path / "layout", tmp_path / "x.tar")
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress((tmp_path / "x.tar").read_bytes()))

    with pytest.raises(ArchiveError, match="gunzip"):
        source_at(tmp_path / "x.tar.gz", opened)


def test_a_pipe(opened: list[int]) -> None:
    """What can't be read by place can't be imported."""
    opened.extend(os.pipe())

    with pytest.raises(ArchiveError, match="can't be read"):
        open_source(opened[0])


def test_a_link_in_a_folder_is_not_followed(tmp_path: Path, opened: list[int]) -> None:
    """A blob that is a symbolic link might lead anywhere."""
    write_layout(tmp_path / "layout", IMAGE)
    path = tmp_path / "layout/blobs/sha256" / ABSENT.encoded
    path.symlink_to("/etc/hostname")

    with pytest.raises(OSError, match="symbolic"):
        source_at(tmp_path / "layout", opened).open(ABSENT)


@pytest.mark.integration
def test_the_folder_of_a_real_registry(tmp_path: Path, opened: list[int]) -> None:
    """What ``docker-registry`` wrote is read: its tags, and every blob behind them."""
    layout = write_layout(tmp_path / "layout", IMAGE)
    (tmp_path / "config.yml").write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {tmp_path}/storage}}}}\n"
        "http: {addr: '127.0.0.1:0'}\n"
    )
    registry = Program(
        ["docker-registry", "serve", tmp_path / "config.yml"], tmp_path / "log", cwd=tmp_path
    )
    try:
        address = registry.wait_for_line(r"listening on (127\.0\.0\.1:\d+)")[1]
        target = f"docker://{address}/library/busybox:1"
        run("skopeo", "copy", "--all", "--dest-tls-verify=false", layout, target)
    finally:
        registry.stop()

    source = source_at(tmp_path / "storage", opened)

    images = {named.name: named.digest for named in source.images()}
    assert images["library/busybox:1"] == IMAGE.index.digest
    assert content(source, IMAGE.index.digest) == IMAGE.index.content
    assert all(content(source, blob.digest) == blob.source for blob in IMAGE.blobs)
