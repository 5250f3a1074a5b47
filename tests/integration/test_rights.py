"""Who gets what is kept of private repositories: nobody but whom the Hub itself would let in.

What is refused is refused as the unknown is, so that not even its existence shows.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial

import pytest
from attrs import frozen

from hubmirror.demo.content import Blob, Manifest
from hubmirror.demo.hub import HubSettings
from hubmirror.demo.image import OCI, build_image, hello_layer, random_layer
from hubmirror.mirror.arrivals import MANY
from tests.integration.live_hub import LiveHub, live_hub
from tests.integration.pulling import ACCEPT, Reader, login, pull, together
from tests.support.mirror import Mirror, MirrorStarter
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration
EACH_WAY = True

HTTP = ("--http", "127.0.0.1:0")
OPEN, SECRET, FORK, OTHER = "library/open", "team/secret", "library/fork", "team/other"
READERS = {SECRET: frozenset({"alice"}), OTHER: frozenset({"alice", "bob"})}
TAG = "stable"
UNKNOWN = f"sha256:{'0' * 64}"
NOBODY: Mapping[str, str] = {}
#: A token that no server has given.
GARBAGE = {"Authorization": "Bearer garbage"}

#: How each path is asked for.
WAYS = {
    "GET": ("GET", {}),
    "HEAD": ("HEAD", {}),
    "Range": ("GET", {"Range": "bytes=0-9"}),
    "tail": ("GET", {"Range": "bytes=-1"}),
}
#: What differs between two answers of the same kind: fields, and times in what people read.
_VOLATILE = {"date", "x-request-id"}
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC|\b\d+ s\b")


@frozen
class Private:
    """The private image, by what it is asked for below its repository."""

    index: str
    manifest: str
    layer: str

    @property
    def paths(self) -> tuple[str, ...]:
        """All that is kept of it: by tag, by digest, its blob, and the list of its tags."""
        return (
            f"manifests/{TAG}",
            f"manifests/{self.index}",
            f"manifests/{self.manifest}",
            f"blobs/{self.layer}",
            "tags/list",
        )


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> HubSettings:
    """The Hub's; a test may give the seconds that its tokens live."""
    return HubSettings(token_lifetime=getattr(request, "param", 300))


@pytest.fixture
def hub(settings: HubSettings) -> Iterator[LiveHub]:
    """A Hub with an open repository, two private ones, and a fork that lists alien blobs."""
    with live_hub(READERS, settings) as hub:
        yield hub


@pytest.fixture
def private(hub: LiveHub, tmp_path_factory: pytest.TempPathFactory) -> Private:
    """The image of ``SECRET``; ``FORK`` has its manifest, and none of its blobs."""
    layer = random_layer(tmp_path_factory.mktemp("layer") / "layer", 8 << 20)
    image = build_image({"amd64": [layer]})
    hub.store.add_image(SECRET, TAG, image)
    hub.store.add_image(OPEN, TAG, build_image({"amd64": [hello_layer("amd64")]}))
    hub.store.add_blob(OTHER, Blob.of(b"other"))
    hub.store.add_manifest(OTHER, Manifest(OCI.manifest, b"{}"), TAG)
    hub.store.add_manifest(FORK, image.manifests[0], TAG)
    return Private(str(image.index.digest), str(image.manifests[0].digest), str(layer.blob.digest))


@frozen
class Told:
    """What an answer tells; digests and tags that were asked for are made alike."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: str


def told(mirror: Mirror, path: str, headers: Mapping[str, str]) -> dict[str, Told]:
    """What the mirror tells of ``path``, each way that it may be asked for."""
    answers = {}
    for way, (method, more) in WAYS.items():
        answer = mirror.ask(path, {**ACCEPT, **headers, **more}, method)
        reference = path.rpartition("/")[2]
        fields = sorted(
            (name.lower(), value.replace(reference, "REF"))
            for name, value in answer.headers.items()
            if name.lower() not in _VOLATILE
        )
        text = answer.body.decode("latin-1").replace(reference, "REF")
        answers[way] = Told(answer.status, tuple(fields), _TIME.sub("TIME", text))
    return answers


def assert_alike(mirror: Mirror, kept: str, unknown: str, headers: Mapping[str, str]) -> None:
    """Two paths tell the same, each way; and neither gives anything.

    In an outage the answers change with time: now the mirror knows it, now it looks for its
    end. So two that differ are asked for again, a few times.
    """
    for _ in range(5):
        of_kept, of_unknown = told(mirror, kept, headers), told(mirror, unknown, headers)
        assert min(each.status for each in of_kept.values()) >= 400, kept
        if of_kept == of_unknown:
            return
    for way in WAYS:
        assert Counter(of_kept[way].headers) == Counter(of_unknown[way].headers), way
    assert of_kept == of_unknown


def statuses(mirror: Mirror, path: str, headers: Mapping[str, str]) -> set[int]:
    """The statuses of ``told``."""
    return {each.status for each in told(mirror, path, headers).values()}


def is_refused(mirror: Mirror, private: Private, headers: Mapping[str, str]) -> bool:
    """Whether ``SECRET`` tells nothing to who shows ``headers``."""
    found = [statuses(mirror, f"/v2/{SECRET}/{path}", headers) for path in private.paths]
    return set.union(*found) == {401}


def is_given(mirror: Mirror, private: Private, headers: Mapping[str, str]) -> bool:
    """Whether all of ``SECRET`` goes to who shows ``headers``."""
    found = [statuses(mirror, f"/v2/{SECRET}/{path}", headers) for path in private.paths]
    return set.union(*found) <= {200, 206}


def assert_as_unknown(
    mirror: Mirror, repository: str, private: Private, headers: Mapping[str, str]
) -> None:
    """What is kept of ``SECRET`` is told of as what nobody has ever had."""
    base = f"/v2/{repository}"
    for kind, digest in (("blobs", private.layer), ("manifests", private.index)):
        assert_alike(mirror, f"{base}/{kind}/{digest}", f"{base}/{kind}/{UNKNOWN}", headers)
    if repository == SECRET:
        assert_alike(mirror, f"{base}/manifests/{TAG}", f"{base}/manifests/unknown", headers)


def warmed(start: MirrorStarter, hub: LiveHub, private: Private, *options: str) -> Mirror:
    """A mirror by which alice has pulled ``SECRET``, and somebody ``OPEN``."""
    mirror = start("serve", *HTTP, *hub.upstream, *options)
    alice = login(mirror, SECRET, "alice")
    assert pull(mirror, SECRET, TAG, alice) == private.index
    assert mirror.ask(f"/v2/{SECRET}/tags/list", alice).status == 200
    pull(mirror, OPEN, TAG, login(mirror, OPEN))
    return mirror


def test_two_users(start: MirrorStarter, hub: LiveHub, private: Private) -> None:
    """What alice has pulled goes to her, from what is kept, and to nobody else."""
    mirror = warmed(start, hub, private)
    sent = hub.blob_bytes_sent
    bob, anybody = login(mirror, SECRET, "bob"), login(mirror, SECRET)

    for others in (bob, anybody, GARBAGE, NOBODY, login(mirror, OTHER, "alice")):
        assert is_refused(mirror, private, others)
        assert_as_unknown(mirror, SECRET, private, others)
    assert is_given(mirror, private, login(mirror, SECRET, "alice"))

    assert hub.blob_bytes_sent == sent


def test_public_for_anybody(start: MirrorStarter, hub: LiveHub, private: Private) -> None:
    """What is kept of a public repository goes to any token, to none, and to a dead one."""
    mirror = warmed(start, hub, private)
    asked = hub.asked("registry").total()

    for headers in (GARBAGE, NOBODY, login(mirror, OTHER, "bob")):
        assert statuses(mirror, f"/v2/{OPEN}/manifests/{TAG}", headers) == {200}

    assert hub.asked("registry").total() == asked


@pytest.mark.parametrize("settings", [5], indirect=True)
def test_revoked(start: MirrorStarter, hub: LiveHub, private: Private) -> None:
    """A right that the Hub takes away ends with the token that had it, at the latest."""
    mirror = warmed(start, hub, private)
    first = login(mirror, SECRET, "alice")
    assert is_given(mirror, private, first)

    hub.readers[SECRET] = frozenset()

    assert is_refused(mirror, private, login(mirror, SECRET, "alice"))
    wait_until(lambda: is_refused(mirror, private, first), "the first token's end")
    hub.readers[SECRET] = frozenset({"bob"})
    assert is_given(mirror, private, login(mirror, SECRET, "bob"))
    assert is_refused(mirror, private, login(mirror, SECRET, "alice"))


def test_token_that_the_hub_refuses(start: MirrorStarter, hub: LiveHub, private: Private) -> None:
    """Without ``right_ttl`` each answer is the Hub's own: a token that it has withdrawn is dead."""
    mirror = warmed(start, hub, private, "--right-ttl", "0")
    alice = login(mirror, SECRET, "alice")
    assert is_given(mirror, private, alice)

    hub.faults.registry.answer_next(1000, 401, path_part=SECRET)

    assert is_refused(mirror, private, alice)


@pytest.mark.parametrize("settings", [2], indirect=True)
def test_public_made_private_and_back(start: MirrorStarter, hub: LiveHub, private: Private) -> None:
    """After ``public_ttl`` a repository is what the Hub has made of it meanwhile."""
    del hub.readers[SECRET]
    mirror = start("serve", *HTTP, *hub.upstream, "--public-ttl", "500ms", "--right-ttl", "1s")
    pull(mirror, SECRET, TAG, login(mirror, SECRET))
    mirror.ask(f"/v2/{SECRET}/tags/list", login(mirror, SECRET))
    assert is_given(mirror, private, NOBODY)

    hub.readers[SECRET] = frozenset({"alice"})
    wait_until(lambda: is_refused(mirror, private, NOBODY), "it is private")

    assert is_refused(mirror, private, login(mirror, SECRET, "bob"))
    assert is_given(mirror, private, login(mirror, SECRET, "alice"))
    assert_as_unknown(mirror, SECRET, private, NOBODY)

    del hub.readers[SECRET]
    wait_until(lambda: is_given(mirror, private, NOBODY), "it is public again")


def test_through_another_repository(start: MirrorStarter, hub: LiveHub, private: Private) -> None:
    """A private blob is in no other repository, be it public or with a manifest that lists it."""
    mirror = warmed(start, hub, private)
    listed = mirror.ask(f"/v2/{FORK}/manifests/{TAG}", {**ACCEPT, **login(mirror, FORK)})
    assert private.layer in {each["digest"] for each in json.loads(listed.body)["layers"]}

    for repository in (OPEN, FORK):
        for user in (None, "bob", "alice"):
            token = login(mirror, repository, user)
            blobs = f"/v2/{repository}/blobs"
            assert_alike(mirror, f"{blobs}/{private.layer}", f"{blobs}/{UNKNOWN}", token)
            assert statuses(mirror, f"{blobs}/{private.layer}", token) == {404}
    for shown in (NOBODY, GARBAGE, login(mirror, OTHER, "bob")):
        assert_as_unknown(mirror, OTHER, private, shown)


def test_while_it_is_fetched(start: MirrorStarter, hub: LiveHub, private: Private) -> None:
    """Nor does a private blob go to others while its fetch runs."""
    mirror = start("serve", *HTTP, *hub.upstream, "--prefetch", "off")
    hub.faults.blobs.bytes_per_second = 4 << 20
    alice, bob = login(mirror, SECRET, "alice"), login(mirror, SECRET, "bob")
    anybody = login(mirror, FORK)
    path = f"/v2/{SECRET}/blobs/{private.layer}"
    refused: list[set[int]] = []

    def arrived(_length: int) -> None:
        if not refused:
            refused.append(statuses(mirror, path, bob))
            refused.append(statuses(mirror, path, GARBAGE))
            refused.append(statuses(mirror, f"/v2/{FORK}/blobs/{private.layer}", anybody))

    body = Reader(mirror, path, alice, arrived=arrived).read()

    assert private.layer == f"sha256:{hashlib.sha256(body).hexdigest()}"
    assert refused == [{401}, {401}, {404}]


@pytest.mark.parametrize("settings", [8], indirect=True)
def test_outage(start: MirrorStarter, hub: LiveHub, private: Private) -> None:
    """While nobody can ask the Hub, a token that it has let in before is let in for its life."""
    mirror = warmed(start, hub, private, "--right-ttl", "0", "--patience", "200ms")
    known, unseen = login(mirror, SECRET, "alice"), login(mirror, SECRET, "alice")
    for_another = login(mirror, OTHER, "alice")
    bob, anybody = login(mirror, SECRET, "bob"), login(mirror, SECRET)
    assert is_given(mirror, private, known)
    assert is_refused(mirror, private, bob)

    hub.vanish()

    assert is_given(mirror, private, known)
    issued = login(mirror, SECRET, "alice")
    for others in (unseen, for_another, bob, anybody, issued, GARBAGE, NOBODY):
        assert_as_unknown(mirror, SECRET, private, others)
        assert_as_unknown(mirror, OPEN, private, others)
        assert_as_unknown(mirror, FORK, private, others)
        assert statuses(mirror, f"/v2/{OPEN}/manifests/{TAG}", others) == {200}
    wait_until(lambda: not is_given(mirror, private, known), "the token's end", seconds=30)
    assert_as_unknown(mirror, SECRET, private, known)


def test_outage_after_a_restart(start: MirrorStarter, hub: LiveHub, private: Private) -> None:
    """Rights are in memory alone: after a restart in an outage nothing private goes out."""
    mirror = warmed(start, hub, private)
    alice = login(mirror, SECRET, "alice")
    assert is_given(mirror, private, alice)
    mirror.program.stop()
    hub.vanish()

    mirror = start("serve", *HTTP, *hub.upstream, "--patience", "200ms")

    assert_as_unknown(mirror, SECRET, private, alice)
    assert statuses(mirror, f"/v2/{OPEN}/manifests/{TAG}", NOBODY) == {200}


def test_while_it_is_asked_for(start: MirrorStarter, hub: LiveHub, private: Private) -> None:
    """Nor does it go to who asks before the Hub has answered, by the right of another.

    Not even if he has made the mirror forget what it waits for.
    """
    options = ("--prefetch", "off", "--quota-minute", "0")
    mirror = start("serve", *HTTP, *hub.upstream, *options)
    alice, anybody = login(mirror, SECRET, "alice"), login(mirror, FORK)
    path = f"/v2/{SECRET}/blobs/{private.layer}"

    def ask(digest: str) -> int:
        return mirror.ask(f"/v2/{FORK}/blobs/{digest}", anybody).status

    def intrude() -> None:
        wait_until(lambda: ("GET", path, None) in hub.asked("registry"), "alice asks")
        assert together([partial(ask, UNKNOWN), partial(ask, private.layer)]) == [404, 404]

    def read_whole() -> None:
        body = Reader(mirror, path, alice).read()
        assert private.layer == f"sha256:{hashlib.sha256(body).hexdigest()}"

    connection = mirror.connect()
    for number in range(1, MANY + 1):
        connection.request("GET", f"/v2/{FORK}/blobs/sha256:{number:064x}", headers=dict(anybody))
        response = connection.getresponse()
        response.read()
        assert response.status == 404
    connection.close()
    hub.faults.registry.delay = 1

    together([read_whole, intrude])


def test_fetched_ahead(start: MirrorStarter, hub: LiveHub, private: Private) -> None:
    """A manifest that lists a private blob, pulled while that is fetched, gives no right to it."""
    mirror = start("serve", *HTTP, *hub.upstream)
    hub.faults.blobs.bytes_per_second = 4 << 20
    alice, anybody = login(mirror, SECRET, "alice"), login(mirror, FORK)
    path = f"/v2/{FORK}/blobs/{private.layer}"
    refused: list[set[int]] = []

    def arrived(_length: int) -> None:
        if not refused:
            listed = mirror.ask(f"/v2/{FORK}/manifests/{TAG}", {**ACCEPT, **anybody})
            assert private.layer.encode() in listed.body
            refused.append(statuses(mirror, path, anybody))

    Reader(mirror, f"/v2/{SECRET}/blobs/{private.layer}", alice, arrived=arrived).read()

    assert [*refused, statuses(mirror, path, login(mirror, FORK))] == [{404}, {404}]
