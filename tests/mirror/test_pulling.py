"""Pulling through the mirror, to nobody."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from attrs import define, evolve, field
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IConsumer

from hubmirror.cache.image_names import ImageNames
from hubmirror.cache.reports import Progress, Pulled, Report
from hubmirror.demo.image import hello_image
from hubmirror.errors import UpstreamFailure
from hubmirror.mirror.pulling import Puller, PullFailed
from hubmirror.naming import Repository
from hubmirror.question import Answer, BlobRequest, Body, FileSlice, ManifestRequest, Question
from tests.cache.collecting import collect, result_of

IMAGE = hello_image()
NAMES = ImageNames("docker.io", library_prefix=True)
BUSYBOX = NAMES.parse("busybox:1")
MANIFESTS = {str(one.digest): one for one in (IMAGE.index, *IMAGE.manifests)} | {"1": IMAGE.index}
BLOBS = {blob.digest: blob for blob in IMAGE.blobs}


@define
class FakeMirror:
    """Answers from the image; ``change`` may change an answer."""

    asked: list[Question] = field(factory=list)
    change: Callable[[Question, Answer], Answer] = lambda _question, answer: answer

    async def answer(self, question: Question) -> Answer:
        """As ``Mirror.answer``."""
        self.asked.append(question)
        kept = ("Cache-Status", "hubmirror; fwd=miss; stored")
        match question.subject:
            case ManifestRequest(_, reference) if str(reference) in MANIFESTS:
                found = MANIFESTS[str(reference)]
                headers = (
                    kept,
                    ("Content-Type", found.media_type),
                    ("Docker-Content-Digest", str(found.digest)),
                )
                return self.change(question, Answer(200, headers, found.content))
            case BlobRequest(_, digest) if digest in BLOBS:
                source = BLOBS[digest].source
                assert isinstance(source, bytes)
                return self.change(question, Answer(200, (kept,), source))
        body = json.dumps({"errors": [{"code": "MANIFEST_UNKNOWN", "message": "unknown"}]})
        return self.change(question, Answer(404, (), body.encode()))


class FakeBodies:
    """Sends bytes at once; ``waiting`` holds all others back."""

    def __init__(self) -> None:
        self.waiting: Deferred[None] | None = None
        self.discarded: list[Body] = []

    def send(self, body: Body, consumer: IConsumer) -> Deferred[None]:
        """As ``Bodies.send``."""
        if self.waiting is not None:
            return self.waiting
        assert isinstance(body, bytes)
        consumer.write(body)
        return succeed(None)

    def discard(self, body: Body) -> None:
        """As ``Bodies.discard``."""
        self.discarded.append(body)
        if isinstance(body, FileSlice):
            body.close()


@define
class Pull:
    """A puller with what is around it."""

    mirror: FakeMirror = field(factory=FakeMirror)
    bodies: FakeBodies = field(factory=FakeBodies)

    @property
    def puller(self) -> Puller:
        """It."""
        return Puller(self.mirror.answer, self.bodies, _credential)

    def run(self, *platforms: str, name: str = "busybox:1", **how: Any) -> list[Report]:
        """All reports."""
        return collect(self.puller.pull(NAMES.parse(name), platforms, **how))

    def subjects(self) -> list[str]:
        """What was asked for, in short."""
        return [
            str(getattr(question.subject, "reference", None) or _digest(question))
            for question in self.mirror.asked
        ]


def _credential(repository: Repository) -> str:
    return f"Bearer for {repository.name}"


def _digest(question: Question) -> object:
    return getattr(question.subject, "digest", None)


def blobs_of(number: int) -> list[str]:
    """The digests of what a manifest of the image is made of."""
    document = IMAGE.manifests[number].document
    return [each["digest"] for each in (document["config"], *document["layers"])]


def test_one_platform() -> None:
    """Index, manifest, config and layer are asked for, and nothing of the other platform."""
    pull = Pull()

    *progress, pulled = pull.run("linux/arm64")

    arm64 = IMAGE.manifests[1]
    asked = pull.subjects()
    assert asked[:2] == ["1", str(arm64.digest)]
    assert sorted(asked[2:]) == sorted(blobs_of(1))
    size = sum(BLOBS[digest].size for digest in BLOBS if str(digest) in blobs_of(1))
    image = "docker.io/library/busybox:1"
    assert pulled == Pulled(image, str(IMAGE.index.digest), ("linux/arm64",), 2, size)
    assert progress[-1] == Progress(image, size, size)


def test_all_platforms() -> None:
    """Each blob is asked for once."""
    pull = Pull()

    pulled = pull.run("all")[-1]

    assert isinstance(pulled, Pulled)
    assert pulled.platforms == ("linux/amd64", "linux/arm64")
    assert sorted(pull.subjects()[3:]) == sorted({*blobs_of(0), *blobs_of(1)})


def test_a_manifest_by_digest() -> None:
    """One platform's manifest needs no choice."""
    pull = Pull()

    pulled = pull.run("linux/386", name=f"busybox@{IMAGE.manifests[0].digest}")[-1]

    assert isinstance(pulled, Pulled)
    assert pulled.digest == str(IMAGE.manifests[0].digest)


def test_how_it_asks() -> None:
    """As the mirror itself, with a credential, for all types of today."""
    pull = Pull()
    pull.run("linux/amd64")

    for question in pull.mirror.asked:
        assert question.method == "GET"
        assert question.client.address == ""
        assert question.credential == "Bearer for library/busybox"
        assert "application/vnd.oci.image.index.v1+json" in question.accept[0]
        assert not question.no_cache


def test_checked() -> None:
    """The tag alone is asked for past what is fresh."""
    pull = Pull()
    pull.run("linux/amd64", is_checked=True)

    assert [question.no_cache for question in pull.mirror.asked] == [True, False, False, False]


def test_checked_in_an_outage() -> None:
    """A stale answer is no check; the warning says why."""
    pull = Pull()
    warning = ("Warning", '299 - "the upstream can\'t be asked"')
    pull.mirror.change = lambda _, answer: evolve(answer, headers=(*answer.headers, warning))

    with pytest.raises(PullFailed, match="the upstream can't be asked"):
        pull.run("linux/amd64", is_checked=True)
    assert isinstance(pull.run("linux/amd64")[-1], Pulled)


def test_what_is_whole_already() -> None:
    """It is not read: its file is closed."""
    pull = Pull()

    def from_file(question: Question, answer: Answer) -> Answer:
        if not isinstance(question.subject, BlobRequest):
            return answer
        return evolve(answer, body=FileSlice(os.memfd_create("kept"), 0, 10))

    pull.mirror.change = from_file

    assert isinstance(pull.run("linux/amd64")[-1], Pulled)
    assert len(pull.bodies.discarded) == 2


def test_what_is_not_there() -> None:
    """The registry's own words are told."""
    with pytest.raises(PullFailed, match="the answer was 404, unknown"):
        Pull().run("linux/amd64", name="busybox:2")


def test_another_platform() -> None:
    """What there is is told."""
    with pytest.raises(PullFailed, match="only for linux/amd64, linux/arm64"):
        Pull().run("linux/386")


def test_what_is_not_kept() -> None:
    """To pull what the mirror does not keep is to no avail."""
    pull = Pull()
    pull.mirror.change = lambda _, answer: evolve(
        answer, headers=(("Cache-Status", "hubmirror; fwd=miss; fwd-status=200"),)
    )

    with pytest.raises(PullFailed, match="not kept"):
        pull.run("linux/amd64")
    assert len(pull.bodies.discarded) == 1


@pytest.mark.parametrize("kind", [ManifestRequest, BlobRequest])
def test_an_upstream_that_fails(kind: type) -> None:
    """Its failure is the pull's."""
    pull = Pull()

    def fail(question: Question, answer: Answer) -> Answer:
        if isinstance(question.subject, kind):
            raise UpstreamFailure("the upstream broke off")
        return answer

    pull.mirror.change = fail

    with pytest.raises(PullFailed, match="broke off"):
        pull.run("linux/amd64")


def test_who_leaves_ends_it() -> None:
    """What is under way is cancelled with the pull."""
    pull = Pull()
    cancelled: list[object] = []
    pull.bodies.waiting = Deferred(cancelled.append)

    async def take() -> list[Report]:
        return [one async for one in pull.puller.pull(BUSYBOX, ["linux/amd64"])]

    def blob_alone(question: Question, answer: Answer) -> Answer:
        return answer

    pull.mirror.change = blob_alone
    work = Deferred.fromCoroutine(take())
    assert not work.called
    work.cancel()

    with pytest.raises(CancelledError):
        result_of(work)
    assert cancelled
