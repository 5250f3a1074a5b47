"""What is kept outlives the Hub, however it goes: dead, silent, unreachable, slow, or refusing.

The image was pulled before by a logged-in client alone, and the mirror is started anew when the
outage has begun.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from hubmirror.demo.image import hello_image
from hubmirror.demo.walk import host_architecture
from tests.integration.clients import CLIENTS, Visitor
from tests.integration.live_hub import LiveHub, live_hub
from tests.integration.outage import (
    IMPATIENT,
    OUTAGES,
    REPOSITORY,
    TAG,
    Listener,
    World,
    begun,
    wait_until_public,
    warmed,
)
from tests.integration.pulling import ACCEPT, login, pull
from tests.support.certificates import Authority
from tests.support.hub import Content
from tests.support.mirror import Mirror, MirrorStarter
from tests.support.programs import run
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration

IMAGE = hello_image()
DIGEST = str(IMAGE.index.digest)
BY_TAG, BY_DIGEST = f":{TAG}", f"@{DIGEST}"
STRANGER, LOGGED_IN = False, True
ANYHOW = pytest.mark.parametrize(
    ("reference", "is_logged_in"),
    [(BY_TAG, STRANGER), (BY_DIGEST, LOGGED_IN)],
    ids=["tag-stranger", "digest-logged-in"],
)
THE_OTHER_WAY = pytest.mark.parametrize(
    ("reference", "is_logged_in"),
    [(BY_DIGEST, STRANGER), (BY_TAG, LOGGED_IN)],
    ids=["digest-stranger", "tag-logged-in"],
)


@pytest.fixture(scope="module", params=OUTAGES)
def alone(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    authority: Authority,
    registry: str,
) -> Iterator[Mirror]:
    """A mirror whose Hub is gone."""
    folder = tmp_path_factory.mktemp(f"outage-{request.param}")
    with warmed(request.param, folder, authority, registry) as (world, mirror):
        mirror.program.stop()
        with begun(request.param, world) as mirror:
            yield mirror
    assert "Traceback" not in mirror.program.text(), mirror.program.text()


@pytest.fixture
def running(tmp_path: Path, authority: Authority, registry: str) -> Iterator[tuple[World, Mirror]]:
    """A warm mirror and its Hub, which both run yet."""
    with warmed("silent", tmp_path, authority, registry) as both:
        yield both


@ANYHOW
@pytest.mark.parametrize("client", CLIENTS)
def test_kept_images_are_pulled(
    alone: Mirror, tmp_path: Path, client: str, reference: str, is_logged_in: bool
) -> None:
    """Into an empty root; every byte comes from the mirror."""
    pull_from_nothing(alone, tmp_path, client, reference, is_logged_in)


@THE_OTHER_WAY
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("alone", ["silent"], indirect=True)
def test_kept_images_are_pulled_by_tag_and_digest_with_and_without_a_login(
    alone: Mirror, tmp_path: Path, client: str, reference: str, is_logged_in: bool
) -> None:
    """The whole of it, in the outage that is the worst to bear."""
    pull_from_nothing(alone, tmp_path, client, reference, is_logged_in)


def test_what_is_not_kept_is_not_to_be_had(alone: Mirror, request: pytest.FixtureRequest) -> None:
    """The outage is one: a tag that nobody has pulled is not there, unless the Hub is but slow."""
    answer = alone.ask(f"/v2/{REPOSITORY}/manifests/1.1", {**ACCEPT, **login(alone, REPOSITORY)})

    is_slow = request.node.callspec.params["alone"] == "slow"
    assert answer.status == 200 if is_slow else answer.status in (429, 502, 503, 504)


@pytest.mark.parametrize("user", [None, "alice"])
def test_a_token_from_before_reads_on(
    running: tuple[World, Mirror], tmp_path: Path, user: str | None
) -> None:
    """A client in the midst of its pulls asks for no new token; a 401 would be the end of them."""
    world, mirror = running
    token = login(mirror, REPOSITORY, user)
    mirror.program.stop()
    with begun("silent", world) as mirror:
        source = f"docker://{mirror.authority}/{REPOSITORY}:{TAG}"
        bearer = ("--src-registry-token", token["Authorization"].removeprefix("Bearer "))
        where = ("--src-tls-verify=false", source, f"dir:{tmp_path}/copy")

        assert pull(mirror, REPOSITORY, TAG, token) == DIGEST
        run("skopeo", "copy", "--all", *bearer, *where)


def test_private_images_stay_private(running: tuple[World, Mirror]) -> None:
    """In an outage nobody can say who may read them, so nobody does: with no token at all."""
    world, mirror = running
    world.warm_private(mirror, "team/secret:1.0")
    mirror.program.stop()
    with begun("silent", world) as mirror:
        for headers in ({}, login(mirror, "team/secret"), login(mirror, "team/secret", "alice")):
            answer = mirror.ask("/v2/team/secret/manifests/1.0", {**ACCEPT, **headers})
            assert answer.status >= 400


def test_an_outage_is_waited_for_once(running: tuple[World, Mirror]) -> None:
    """One time-out; from then on one probe at a time, however many requests there are."""
    world, mirror = running
    mirror.program.stop()
    world.hub.program.stop()
    with closing(Listener(world.port)) as listener:
        listener.start()
        mirror = world.start_mirror()
        mirror.program.wait_for_line("is down")
        wait_until(lambda: listener.count == len(listener.spans), "the first time-out is over")
        first = listener.count

        token = login(mirror, REPOSITORY)
        for _ in range(10):
            assert pull(mirror, REPOSITORY, TAG, token) == DIGEST

        wait_until(lambda: listener.count >= first + 2, "two probes")
        probes = listener.spans[first:]
        assert first == 1
        assert listener.count <= first + 3
        ends, begins = [end for _, end in probes], [begin for begin, _ in probes]
        assert all(end <= begin for end, begin in zip(ends, begins[1:], strict=False))


def test_the_end_of_an_outage_is_found(running: tuple[World, Mirror], content: Content) -> None:
    """Meanwhile the old image is served with a warning; then the tag's new one is seen."""
    world, mirror = running
    world.push(content.hello, "library/moving:1.0")
    world.warm(mirror, "library/moving:1.0")
    mirror.program.stop()
    with begun("silent", world) as mirror:
        mirror.program.wait_for_line("is down")
        old = mirror.ask("/v2/library/moving/manifests/1.0", ACCEPT)
        assert old.headers["Docker-Content-Digest"] == DIGEST
        assert old.headers["Warning"].startswith("299 - ")
        world.push(content.big, "library/moving:1.0")

    def digest_now() -> str:
        head = mirror.ask("/v2/library/moving/manifests/1.0", ACCEPT, "HEAD")
        return head.headers["Docker-Content-Digest"]

    wait_until(lambda: digest_now() != DIGEST, "the tag's new image", context=mirror.program.text)
    assert "Warning" not in mirror.ask("/v2/library/moving/manifests/1.0", ACCEPT).headers


@pytest.fixture
def hub() -> Iterator[LiveHub]:
    """A Hub each of whose hosts can fail by itself."""
    with live_hub() as hub:
        hub.store.add_image(REPOSITORY, TAG, IMAGE)
        yield hub


@pytest.mark.parametrize("trouble", [{"answer_always": 503}, {"answer_always": 429}, {"delay": 60}])
@pytest.mark.parametrize("role", ["registry", "tokens", "blobs"])
def test_one_host_in_trouble_is_enough(
    hub: LiveHub,
    start: MirrorStarter,
    tmp_path: Path,
    role: str,
    trouble: Mapping[str, int],
) -> None:
    """Registry, token server and blob host fail each alone, in all ways; the images stay."""
    mirror = start("serve", *IMPATIENT, *hub.upstream)
    assert pull(mirror, REPOSITORY, TAG, login(mirror, REPOSITORY, "alice")) == DIGEST
    wait_until_public(tmp_path / "mirror", REPOSITORY)
    mirror.program.stop()
    for fault, value in trouble.items():
        setattr(getattr(hub.faults, role), fault, value)
    mirror = start("serve", *IMPATIENT, *hub.upstream)

    pull_from_nothing(mirror, tmp_path / "client", "skopeo", BY_TAG, STRANGER)


def pull_from_nothing(
    mirror: Mirror, folder: Path, client: str, reference: str, is_logged_in: bool
) -> None:
    """Let ``client`` pull the image; raises ``AssertionError`` unless ``mirror`` sent it all."""
    folder.mkdir(exist_ok=True)
    begun = len(mirror.program.text())
    CLIENTS[client](Visitor(mirror, folder, is_logged_in), reference)

    def log() -> str:
        return mirror.program.text()[begun:]

    def has_sent_all() -> bool:
        sent = dict(sent_whole(log()))
        by_either = (sent.get(reference[1:]), sent.get(DIGEST))
        is_index_there = len(IMAGE.index.content) in by_either
        return is_index_there and all(sent.get(part) == size for part, size in parts().items())

    # A line of the log may be a moment late.
    wait_until(has_sent_all, "it has sent all", seconds=2, context=log)


def sent_whole(log: str) -> Iterator[tuple[str, int]]:
    """Of each GET that was answered in full: the end of its path, and the bytes of its body."""
    for line in log.splitlines():
        entry = json.loads(line)
        if entry.get("method") == "GET" and entry["status"] == 200 and "aborted" not in entry:
            yield entry["path"].partition("?")[0].rpartition("/")[2], entry["bytes"]


def parts() -> Mapping[str, int]:
    """The sizes of all that a client reads of the image below its index: for one platform."""
    descriptor = next(
        each
        for each in IMAGE.index.document["manifests"]
        if each["platform"]["architecture"] == host_architecture()
    )
    manifest = next(each for each in IMAGE.manifests if str(each.digest) == descriptor["digest"])
    listed = (descriptor, manifest.document["config"], *manifest.document["layers"])
    return {each["digest"]: each["size"] for each in listed}
