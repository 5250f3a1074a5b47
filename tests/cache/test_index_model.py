"""The index against a model made of dictionaries, through restarts, crashes and damage."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hubmirror.cache.interfaces import BlobRow, Link, TagEntry
from hubmirror.cache.rows import BLOBS, LINKS, TAGS, Drop, dropped_blob
from hubmirror.cache.twin_files import TwinFiles
from hubmirror.naming import Digest, Repository
from tests.cache.indexes import (
    ALPINE,
    BUSYBOX,
    ELSEWHERE,
    MANIFEST,
    NOW,
    change_byte,
    digest,
    paths_in,
    tag_entry,
    write,
)

repositories = st.sampled_from([BUSYBOX, ALPINE, ELSEWHERE])
digests = st.sampled_from([digest(text) for text in "abcd"])
tags = st.sampled_from(["latest", "1.36"])
variants = st.sampled_from(["", "list"])


class IndexModel(RuleBasedStateMachine):
    """What was put and not dropped is there; nothing points to a blob that was dropped."""

    @initialize()
    def begin(self) -> None:
        """An empty folder."""
        self.folder = Path(tempfile.mkdtemp())
        self.files = TwinFiles(self.folder)
        self.files.open()
        self.tags: dict[tuple[Repository, str, str], TagEntry] = {}
        self.links: dict[tuple[Repository, Digest], Link] = {}
        self.blobs: dict[Digest, BlobRow] = {}

    def teardown(self) -> None:
        """Nothing is left."""
        if hasattr(self, "files"):
            self.files.close()
            shutil.rmtree(self.folder)

    @rule(repository=repositories, tag=tags, variant=variants, of=st.sampled_from("abcd"))
    def put_tag(self, repository: Repository, tag: str, variant: str, of: str) -> None:
        """A tag's entry, new or replaced."""
        entry = tag_entry(tag, of, repository, variant)
        write(self.files, TAGS.put(entry))
        self.tags[repository, tag, variant] = entry

    @rule(repository=repositories, tag=tags)
    def drop_tag(self, repository: Repository, tag: str) -> None:
        """All variants go."""
        at = {"registry": repository.registry, "name": repository.name, "tag": tag}
        write(self.files, Drop(TAGS.name, at))
        self.tags = {key: kept for key, kept in self.tags.items() if key[:2] != (repository, tag)}

    @rule(repository=repositories, to=digests, media_type=st.sampled_from([None, MANIFEST]))
    def put_link(self, repository: Repository, to: Digest, media_type: str | None) -> None:
        """A link, new or replaced."""
        link = Link(repository, to, media_type)
        write(self.files, LINKS.put(link))
        self.links[repository, to] = link

    @rule(of=digests, size=st.integers(0, 2**60), accessed=st.floats(0, 2 * NOW))
    def put_blob(self, of: Digest, size: int, accessed: float) -> None:
        """A blob's row."""
        row = BlobRow(of, size, accessed)
        write(self.files, BLOBS.put(row))
        self.blobs[of] = row

    @rule(of=digests, again=st.booleans())
    def drop_blob(self, of: Digest, again: bool) -> None:
        """With all that points to it; in one batch with its return, too."""
        put = [BLOBS.put(BlobRow(of, 1, NOW))] if again else []
        write(self.files, *dropped_blob(str(of)), *put)
        self.tags = {key: entry for key, entry in self.tags.items() if entry.digest != of}
        self.links = {key: link for key, link in self.links.items() if link.digest != of}
        self.blobs.pop(of, None)
        if again:
            self.blobs[of] = BlobRow(of, 1, NOW)

    @rule()
    def reopen(self) -> None:
        """Closed and opened."""
        self.files.close()
        self.files.open()

    @rule()
    def crash(self) -> None:
        """What is on the disk at a moment is opened elsewhere."""
        left = Path(tempfile.mkdtemp())
        for path in self.folder.glob("index*"):
            shutil.copy(path, left)
        self.files.close()
        shutil.rmtree(self.folder)
        self.folder, self.files = left, TwinFiles(left)
        self.files.open()

    @rule(which=st.integers(0, 1))
    def lose(self, which: int) -> None:
        """A file goes."""
        self.files.close()
        paths_in(self.folder)[which].unlink()
        self.files.open()

    @rule(which=st.integers(0, 1), place=st.floats(0, 1, exclude_max=True))
    def damage(self, which: int, place: float) -> None:
        """A byte of a page changes."""
        self.files.close()
        path = paths_in(self.folder)[which]
        change_byte(path, 100 + int(place * (path.stat().st_size - 100)))
        self.files.open()

    @invariant()
    def is_as_the_model(self) -> None:
        """All rows, by every way to them."""
        assert set(self.files.select(TAGS)) == set(self.tags.values())
        assert set(self.files.select(LINKS)) == set(self.links.values())
        assert set(self.files.select(BLOBS)) == set(self.blobs.values())
        for of in {link.digest for link in self.links.values()}:
            found = self.files.select(LINKS, {"digest": str(of)})
            assert set(found) == {link for link in self.links.values() if link.digest == of}


TestIndexModel = IndexModel.TestCase
TestIndexModel.settings = settings(max_examples=20, stateful_step_count=20)
