"""Manifests and indexes, and the tars that are made of them."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Sequence
from pathlib import PurePosixPath

from hubmirror.cache.choosing import chosen, offered
from hubmirror.cache.image_names import ImageNames
from hubmirror.cache.image_tar import END, MOST_BLOBS, ImageTar, image_tar
from hubmirror.cache.manifest import INDEX_TYPES, MANIFEST_TYPES, Descriptor, references
from hubmirror.errors import ManifestInvalid, RegistryError
from hubmirror.naming import Digest
from tests.fuzz.target import Target

NAME = ImageNames("docker.io", library_prefix=True).parse("busybox:1")
#: So much of a blob is written; sizes that nobody could hold are left out.
MOST = 4096


def run(data: bytes) -> None:
    """As each of the types: digests that are some, sizes that are some, or ``ManifestInvalid``."""
    for media_type in (*sorted(MANIFEST_TYPES), *sorted(INDEX_TYPES), "text/plain"):
        try:
            found = references(media_type, data)
        except ManifestInvalid:
            continue
        for one in found:
            assert 0 <= one.size < 2**63
        if media_type in INDEX_TYPES:
            _chosen(found)
        elif found:
            _packed(Descriptor(media_type, _digest(data), len(data)), data, found)


def _chosen(entries: Sequence[Descriptor]) -> None:
    assert set(offered(entries)) <= set(entries)
    for wanted in (None, "linux/amd64", "linux/arm/v7"):
        try:
            assert chosen(entries, wanted) in entries
        except RegistryError as error:
            assert error.status in (400, 404)  # noqa: PT017
            assert len(error.message) < MOST  # noqa: PT017


def _packed(top: Descriptor, document: bytes, found: Sequence[Descriptor]) -> None:
    config = bytes(min(found[0].size, MOST))
    try:
        tar = image_tar(NAME, top, document, found, config)
    except ManifestInvalid:
        return
    assert len(tar.parts) <= MOST_BLOBS + 8
    if tar.size < 2**20:
        _read_back(tar)


def _read_back(tar: ImageTar) -> None:
    """Another implementation finds the same files, none of which leads out of its folder."""
    written = bytearray()
    for part in tar.parts:
        content = part.content if isinstance(part.content, bytes) else bytes(part.size)
        written += part.head() + content + part.tail()
    written += END
    assert len(written) == tar.size
    with tarfile.open(fileobj=io.BytesIO(bytes(written))) as opened:
        entries = opened.getmembers()
    assert [(one.name.rstrip("/"), one.size) for one in entries] == [
        (part.name.rstrip("/"), part.size) for part in tar.parts
    ]
    for entry in entries:
        assert entry.isfile() or entry.isdir()
        path = PurePosixPath(entry.name)
        assert not path.is_absolute()
        assert ".." not in path.parts


def _digest(data: bytes) -> Digest:
    return Digest("sha256", hashlib.sha256(data).hexdigest())


_A = b"sha256:" + b"a" * 64
_B = b"sha512:" + b"b" * 128
TARGET = Target(
    run,
    (
        b'{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json",'
        b'"digest":"' + _A + b'","size":2},"layers":[{"mediaType":"x","digest":"'
        b"" + _B + b'","size":3,"urls":["http://x/"]}]}',
        b'{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json"'
        b',"digest":"' + _A + b'","size":2,"platform":{"os":"linux","architecture":"amd64"}},'
        b'{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"' + _B + b'","size":2'
        b',"platform":{"os":"linux","architecture":"arm","variant":"v7"}}]}',
    ),
    (
        *(_A, _B, b'"size":', b'"digest":', b'"mediaType":', b'"layers":[', b'"config":{'),
        *(b'"platform":{', b'"os":', b'"linux"', b'"../../etc/passwd"', b"sha256:", b"true"),
        *(b"9223372036854775807", b"1e3", b'"schemaVersion":2', b'"manifests":['),
    ),
)
