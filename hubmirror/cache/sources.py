"""Where images can be imported from: an OCI image layout, packed or not, or a registry's folder.

Source: OCI image-spec 1.1, ``image-layout.md``; for the folder of Docker's registry,
``registry/storage/paths.go`` of the distribution project. All here blocks for the disk.
"""

from __future__ import annotations

import json
import os
import stat
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import PurePath
from typing import Any, Final, Protocol

from attrs import frozen

from hubmirror.cache.archive import CONTAINERD_NAME, REF_NAME, ArchiveError
from hubmirror.errors import RegistryError
from hubmirror.naming import Digest, parse_digest
from hubmirror.question import FileSlice

__all__ = ["Named", "Source", "open_source"]

#: Documents that are read whole, in bytes at most.
_MAX_DOCUMENT: Final = 4 * 1024 * 1024
_LINK: Final = 256


@frozen
class Named:
    """A manifest of the source: its name there (None: it has none), digest, and type if told."""

    name: str | None
    digest: Digest
    media_type: str | None = None


class Source(Protocol):
    """Images by name, and blobs by digest, none of them verified."""

    def images(self) -> list[Named]:
        """What is in it; raises ``ArchiveError`` or ``OSError``."""

    def open(self, digest: Digest) -> FileSlice | None:
        """A blob, opened, or None where it is not in it; raises ``OSError``."""


def open_source(fd: int) -> Source:
    """The source that ``fd``, a tar file or a folder, is; ``fd`` must stay open meanwhile.

    Raises ``ArchiveError`` for what is none.
    """
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            return _Layout(_TarFiles(fd))
        files = _FolderFiles(fd)
        for prefix in ("docker/registry/v2", "registry/v2", "."):
            if files.has_folder(f"{prefix}/repositories") and files.has_folder(f"{prefix}/blobs"):
                return _RegistryFolder(files, prefix)
        return _Layout(files)
    except OSError as error:
        raise ArchiveError(f"it can't be read: {error.strerror}") from error


class _Files(Protocol):
    def open(self, path: str) -> FileSlice | None: ...


class _FolderFiles:
    """The files below an open folder."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def open(self, path: str) -> FileSlice | None:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=self.fd)
        except FileNotFoundError:
            return None
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            os.close(fd)
            return None
        return FileSlice(fd, 0, found.st_size)

    def has_folder(self, path: str) -> bool:
        with suppress(FileNotFoundError, NotADirectoryError):
            return stat.S_ISDIR(os.stat(path, dir_fd=self.fd).st_mode)
        return False


class _TarFiles:
    """The files of a tar that is not compressed, found once."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._parts: dict[str, tuple[int, int]] = {}
        try:
            with os.fdopen(os.dup(fd), "rb") as file:
                file.seek(0)
                with tarfile.open(fileobj=file, mode="r:") as tar:
                    self._find(tar)
        except tarfile.TarError as error:
            raise ArchiveError(
                "it is no tar; a compressed one must be unpacked before, as by gunzip"
            ) from error

    def _find(self, tar: tarfile.TarFile) -> None:
        for entry in tar:
            if entry.isreg() and not entry.issparse():
                name = str(PurePath(entry.name))
                self._parts[name] = (entry.offset_data, entry.size)

    def open(self, path: str) -> FileSlice | None:
        part = self._parts.get(path)
        return None if part is None else FileSlice(os.dup(self._fd), *part)


class _Layout:
    """An OCI image layout."""

    def __init__(self, files: _Files) -> None:
        self._files = files

    def images(self) -> list[Named]:
        index = _document(self._files, "index.json")
        if index is None:
            raise ArchiveError(
                "it holds no index.json: it is neither an OCI image layout nor the folder of a"
                " docker-registry"
            )
        manifests = index.get("manifests")
        if not isinstance(manifests, list):
            raise ArchiveError("its index.json lists no manifests")
        return [_named(descriptor) for descriptor in manifests]

    def open(self, digest: Digest) -> FileSlice | None:
        return self._files.open(f"blobs/{digest.algorithm}/{digest.encoded}")


class _RegistryFolder:
    """What ``docker-registry`` keeps on its disk, as a registry or as a mirror."""

    def __init__(self, files: _FolderFiles, prefix: str) -> None:
        self._files = files
        self._prefix = prefix

    def images(self) -> list[Named]:
        return [image for name in self._repositories() for image in self._manifests(name)]

    def open(self, digest: Digest) -> FileSlice | None:
        folder = f"{self._prefix}/blobs/{digest.algorithm}/{digest.encoded[:2]}/{digest.encoded}"
        return self._files.open(f"{folder}/data")

    def _repositories(self) -> Iterator[str]:
        top = f"{self._prefix}/repositories"
        for path, folders, _files, _fd in os.fwalk(top, dir_fd=self._files.fd):
            if "_manifests" in folders:
                yield path.removeprefix(f"{top}/")
            folders[:] = sorted(folder for folder in folders if not folder.startswith("_"))

    def _manifests(self, name: str) -> Iterator[Named]:
        """Tags, then revisions that no tag names."""
        folder = f"{self._prefix}/repositories/{name}/_manifests"
        tagged = set()
        for tag in self._names(f"{folder}/tags"):
            digest = self._link(f"{folder}/tags/{tag}/current/link")
            if digest is not None:
                tagged.add(digest)
                yield Named(f"{name}:{tag}", digest)
        for algorithm in self._names(f"{folder}/revisions"):
            for encoded in self._names(f"{folder}/revisions/{algorithm}"):
                digest = self._link(f"{folder}/revisions/{algorithm}/{encoded}/link")
                if digest is not None and digest not in tagged:
                    yield Named(f"{name}@{digest}", digest)

    def _names(self, folder: str) -> list[str]:
        try:
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY, dir_fd=self._files.fd)
        except FileNotFoundError:
            return []
        try:
            return sorted(os.listdir(fd))
        finally:
            os.close(fd)

    def _link(self, path: str) -> Digest | None:
        content = _read(self._files, path, _LINK)
        try:
            return None if content is None else parse_digest(content.decode("latin-1").strip())
        except RegistryError:
            return None


def _named(descriptor: object) -> Named:
    match descriptor:
        case {"digest": str(digest), "mediaType": str(media_type), **rest}:
            with suppress(RegistryError):
                return Named(_name(rest.get("annotations")), parse_digest(digest), media_type)
    raise ArchiveError("its index.json holds a descriptor that is none")


def _name(annotations: object) -> str | None:
    if not isinstance(annotations, Mapping):
        return None
    found = annotations.get(CONTAINERD_NAME) or annotations.get(REF_NAME)
    return found if isinstance(found, str) else None


def _document(files: _Files, path: str) -> dict[str, Any] | None:
    content = _read(files, path, _MAX_DOCUMENT)
    if content is None:
        return None
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise ArchiveError(f"its {path} is not JSON") from None
    if not isinstance(document, dict):
        raise ArchiveError(f"its {path} is no JSON object")
    return document


def _read(files: _Files, path: str, most: int) -> bytes | None:
    part = files.open(path)
    if part is None:
        return None
    try:
        if part.length > most:
            raise ArchiveError(f"its {path} is too large")
        return os.pread(part.fd, part.length, part.start)
    finally:
        part.close()
