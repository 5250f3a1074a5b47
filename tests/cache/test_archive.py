"""Images written to an OCI image layout in a tar, and read again."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred

from hubmirror.cache.archive import CONTAINERD_NAME, REF_NAME, ArchiveError, Exporter
from hubmirror.cache.image_names import ImageNames
from hubmirror.cache.importing import Importer
from hubmirror.cache.interfaces import Publicity
from hubmirror.cache.inventory import NotKept
from hubmirror.cache.manifest import INDEX_TYPES
from hubmirror.cache.reports import Exported, Imported, ImportedAll, Problem, Progress, Report
from hubmirror.demo.image import build_image, hello_image, random_layer
from hubmirror.mirror.accepting import choose
from hubmirror.naming import Repository
from tests.cache.collecting import collect, here, keep_image, result_of
from tests.cache.kept import BUSYBOX
from tests.cache.memory import MemoryBlobStore, MemoryIndex
from tests.cache.memory_partials import MemoryPartials
from tests.support.layouts import write_layout
from tests.support.programs import run

IMAGE = hello_image()
NAMES = ImageNames("docker.io", library_prefix=True)
ALL = {
    *(one.digest for one in (IMAGE.index, *IMAGE.manifests)),
    *(blob.digest for blob in IMAGE.blobs),
}
OTHER = Repository("docker.io", "team/other")


@define
class Cache:
    """A cache, what it is exported by, and what is imported to it by."""

    index: MemoryIndex = field(factory=MemoryIndex)
    blobs: MemoryBlobStore = field(factory=MemoryBlobStore)
    room: list[int] = field(factory=list)

    def keep(self, *, architectures: int = 2, repository: Repository = BUSYBOX) -> None:
        """Keep the image as ``1`` of the repository."""
        work = keep_image(
            self.index, self.blobs, IMAGE, repository, "1", architectures=architectures
        )
        result_of(Deferred.fromCoroutine(work))

    def export(self, path: Path, *names: str) -> list[Report]:
        """All reports of an export."""
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        exporter = Exporter(self.index, self.blobs, here)
        return collect(exporter.export([NAMES.parse(name) for name in names], fd))

    def import_(self, path: Path, name: str | None = None, **how: Any) -> list[Report]:
        """All reports of an import."""

        async def make_room(size: int) -> None:
            self.room.append(size)

        importer = Importer(
            self.index,
            self.blobs,
            MemoryPartials(self.blobs),
            NAMES,
            here,
            make_room=make_room,
            now=lambda: 5000.0,
        )
        image = None if name is None else NAMES.parse(name)
        return collect(importer.import_(os.open(path, os.O_RDONLY), name=image, **how))


@pytest.fixture
def cache() -> Cache:
    """One that holds busybox:1."""
    cache = Cache()
    cache.keep()
    return cache


def test_export(cache: Cache, tmp_path: Path) -> None:
    """An OCI image layout: its marker, its index that names the image, and every blob."""
    *progress, exported = cache.export(tmp_path / "x.tar", "busybox:1")

    assert isinstance(exported, Exported)
    assert exported.images == ("docker.io/library/busybox:1",)
    assert exported.platforms == ("linux/amd64", "linux/arm64")
    assert exported.blobs == len(ALL)
    assert isinstance(progress[-1], Progress)
    assert progress[-1].done == progress[-1].total == exported.size
    with tarfile.open(tmp_path / "x.tar") as tar:
        files = {entry.name: tar.extractfile(entry) for entry in tar if entry.isreg()}
        content = {name: file.read() for name, file in files.items() if file}
    assert json.loads(content.pop("oci-layout")) == {"imageLayoutVersion": "1.0.0"}
    (entry,) = json.loads(content.pop("index.json"))["manifests"]
    assert entry["digest"] == str(IMAGE.index.digest)
    assert entry["annotations"][REF_NAME] == "docker.io/library/busybox:1"
    assert entry["annotations"][CONTAINERD_NAME] == "docker.io/library/busybox:1"
    assert content == {
        f"blobs/sha256/{digest.encoded}": cache.blobs.content[digest] for digest in ALL
    }


def test_export_what_is_here(cache: Cache, tmp_path: Path) -> None:
    """Of an index the platforms that are whole; two images share what they have in common."""
    cache = Cache()
    cache.keep(architectures=1)
    cache.keep(architectures=1, repository=OTHER)

    exported = cache.export(tmp_path / "x.tar", "busybox:1", "team/other:1")[-1]

    assert isinstance(exported, Exported)
    assert exported.platforms == ("linux/amd64",)
    assert exported.blobs == 4


def test_export_what_is_not_whole(cache: Cache, tmp_path: Path) -> None:
    """An image of which no platform is whole is refused before a byte is written."""
    for blob in IMAGE.blobs:
        result_of(cache.index.drop_blob(blob.digest))

    with pytest.raises(ArchiveError, match="not whole"):
        cache.export(tmp_path / "x.tar", "busybox:1")
    with pytest.raises(NotKept):
        cache.export(tmp_path / "x.tar", "busybox:2")
    assert (tmp_path / "x.tar").read_bytes() == b""


def test_export_what_has_rotted(cache: Cache, tmp_path: Path) -> None:
    """A rotten blob ends the export: no archive holds it."""
    digest = IMAGE.blobs[0].digest
    cache.blobs.content[digest] = bytes(len(cache.blobs.content[digest]))

    with pytest.raises(ArchiveError, match="rotted"):
        cache.export(tmp_path / "x.tar", "busybox:1")


@pytest.mark.parametrize("is_unpacked", [False, True])
def test_import(cache: Cache, tmp_path: Path, is_unpacked: bool) -> None:
    """What was exported is what is imported: blobs, links, the tag; from a tar or a folder."""
    cache.export(tmp_path / "x.tar", "busybox:1")
    if is_unpacked:
        with tarfile.open(tmp_path / "x.tar") as tar:
            tar.extractall(tmp_path / "x", filter="data")
    other = Cache()

    *_, imported, end = other.import_(tmp_path / ("x" if is_unpacked else "x.tar"))

    blobs = sum(blob.size for blob in IMAGE.blobs)
    image = "docker.io/library/busybox:1"
    assert imported == Imported(image, str(IMAGE.index.digest), blobs)
    assert end == ImportedAll(images=1, problems=0)
    assert other.blobs.content == cache.blobs.content
    assert {link.digest for link in result_of(other.index.links(BUSYBOX))} == ALL
    assert sorted(other.room) == sorted(blob.size for blob in IMAGE.blobs)
    for digest in ALL:
        assert result_of(other.index.blob(digest)) is not None


def test_the_imported_tag_is_what_clients_get(cache: Cache, tmp_path: Path) -> None:
    """The policy finds it, and finds that the operator has just confirmed it."""
    cache.export(tmp_path / "x.tar", "busybox:1")
    other = Cache()
    other.import_(tmp_path / "x.tar")

    entries = result_of(other.index.tag(BUSYBOX, "1"))
    entry = choose(entries, (", ".join(INDEX_TYPES),))

    assert entry is not None
    assert (entry.digest, entry.checked) == (IMAGE.index.digest, 5000.0)


@pytest.mark.parametrize(("is_public", "known"), [(False, None), (True, Publicity(True, 5000.0))])
def test_publicity(cache: Cache, tmp_path: Path, is_public: bool, known: Publicity | None) -> None:
    """Nobody knows whether it is public, unless the operator says so."""
    cache.export(tmp_path / "x.tar", "busybox:1")
    other = Cache()
    other.import_(tmp_path / "x.tar", is_public=is_public)

    assert result_of(other.index.publicity(BUSYBOX)) == known


def test_import_what_is_here_already(cache: Cache, tmp_path: Path) -> None:
    """Blobs that are kept are not read again."""
    cache.export(tmp_path / "x.tar", "busybox:1")

    imported, end = cache.import_(tmp_path / "x.tar")

    assert imported == Imported("docker.io/library/busybox:1", str(IMAGE.index.digest), 0)
    assert end == ImportedAll(1, 0)


def test_import_what_has_rotted(tmp_path: Path) -> None:
    """A wrong blob is not kept, and the image is not there; the problem is told."""
    write_layout(tmp_path / "layout", IMAGE)
    blob = tmp_path / "layout" / "blobs" / "sha256" / IMAGE.blobs[1].digest.encoded
    blob.write_bytes(bytes(IMAGE.blobs[1].size))
    cache = Cache()

    *_, problem, end = cache.import_(tmp_path / "layout", "busybox:1")

    assert isinstance(problem, Problem)
    assert "rotted" in problem.message
    assert end == ImportedAll(0, 1)
    assert IMAGE.blobs[1].digest not in cache.blobs.content
    assert result_of(cache.index.tags(BUSYBOX)) == ()


def test_import_one_platform_of_two(tmp_path: Path) -> None:
    """What is missing for one platform does not keep the other from coming in."""
    write_layout(tmp_path / "layout", IMAGE)
    arm64 = IMAGE.manifests[1]
    (tmp_path / "layout" / "blobs" / "sha256" / arm64.digest.encoded).unlink()
    cache = Cache()

    end = cache.import_(tmp_path / "layout", "busybox:1")[-1]

    assert end == ImportedAll(1, 0)
    assert {IMAGE.index.digest, IMAGE.manifests[0].digest} <= set(cache.blobs.content)
    assert arm64.digest not in cache.blobs.content


def test_import_without_all_layers(tmp_path: Path) -> None:
    """An image of which no platform is whole is a problem that names what is missing."""
    write_layout(tmp_path / "layout", IMAGE)
    for blob in IMAGE.blobs:
        (tmp_path / "layout" / "blobs" / "sha256" / blob.digest.encoded).unlink()

    problem, end = Cache().import_(tmp_path / "layout", "busybox:1")

    assert isinstance(problem, Problem)
    assert "missing" in problem.message
    assert end == ImportedAll(0, 1)


@pytest.mark.parametrize(
    ("name", "image"),
    [("team/app", "docker.io/team/app:image"), ("team/app:9", "docker.io/team/app:9")],
)
def test_import_under_a_name(tmp_path: Path, name: str, image: str) -> None:
    """Where the layout tells a tag alone, the rest must be told."""
    write_layout(tmp_path / "layout", IMAGE)

    imported = Cache().import_(tmp_path / "layout", name)[-2]

    assert isinstance(imported, Imported)
    assert imported.image == image


def test_import_without_a_name(tmp_path: Path) -> None:
    """It is asked for."""
    write_layout(tmp_path / "layout", IMAGE)

    problem, _end = Cache().import_(tmp_path / "layout")

    assert isinstance(problem, Problem)
    assert "--name" in problem.message


@pytest.mark.integration
def test_skopeo_reads_what_was_exported(cache: Cache, tmp_path: Path) -> None:
    """``skopeo copy oci-archive:`` takes every platform, every blob, bit for bit."""
    cache.export(tmp_path / "x.tar", "busybox:1")

    source = f"oci-archive:{tmp_path}/x.tar:docker.io/library/busybox:1"
    run("skopeo", "copy", "--all", source, f"oci:{tmp_path}/copy:1")

    copied = {path.name for path in (tmp_path / "copy/blobs/sha256").iterdir()}
    assert {digest.encoded for digest in ALL} <= copied


@pytest.mark.integration
def test_an_archive_of_skopeo(tmp_path: Path) -> None:
    """What skopeo has packed comes in, a large layer, too."""
    layer = random_layer(tmp_path / "layer", 40 << 20)
    image = build_image({"amd64": [layer]})
    layout = write_layout(tmp_path / "layout", image)
    run("skopeo", "copy", "--all", layout, f"oci-archive:{tmp_path}/x.tar:team/big:1")
    cache = Cache()

    *progress, _imported, end = cache.import_(tmp_path / "x.tar")

    assert end == ImportedAll(1, 0)
    assert len(progress) > 40
    assert layer.blob.digest in cache.blobs.content


def test_a_pipe_takes_an_export(cache: Cache) -> None:
    """It is written front to back: standard output will do."""
    reading, writing = os.pipe()
    exporter = Exporter(cache.index, cache.blobs, here)

    collect(exporter.export([NAMES.parse("busybox:1")], writing))

    with os.fdopen(reading, "rb") as pipe:
        archive = io.BytesIO(pipe.read())
    with tarfile.open(fileobj=archive) as tar:
        assert tar.getnames()[:2] == ["oci-layout", "index.json"]
