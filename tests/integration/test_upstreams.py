"""Two registries at once, by real clients: chosen by ``?ns=``, by host name and by path."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from attrs import frozen

from hubmirror.demo.image import Image, build_image, hello_layer, random_layer
from hubmirror.demo.program import MESSAGE
from tests.integration.live_hub import PASSWORDS, LiveHub, live_hub
from tests.integration.pulling import ACCEPT, basic
from tests.support.containerd import HOSTS, running_containerd
from tests.support.docker import running_dockerd
from tests.support.mirror import Mirror, start_mirror
from tests.support.programs import run

pytestmark = pytest.mark.integration

#: Both have images of these names, which are not the same; of the second alice alone reads those.
NAME, SECRET = "owner/app", "owner/secret"
READERS = {SECRET: frozenset({"alice"})}
CONFIGURATION = """\
tag_ttl = 0
stale_while_revalidate = 0
[upstream."ghcr.io"]
url = ["{other}", "{stand_in}"]
hosts = ["localhost"]
"""


@frozen
class Registry:
    """One of the two, with its image."""

    hub: LiveHub
    image: Image

    @property
    def digest(self) -> str:
        """What its tag ``1`` means."""
        return str(self.image.index.digest)


@frozen
class Pair:
    """The default registry, and ghcr.io, behind one mirror; ``stand_in`` has what ghcr.io has."""

    mirror: Mirror
    default: Registry
    ghcr: Registry

    @property
    def localhost(self) -> str:
        """The mirror by the name that leads to ghcr.io."""
        return self.mirror.authority.replace("127.0.0.1", "localhost")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """One mirror of several processes, for all tests."""
    folder = tmp_path_factory.mktemp("upstreams")
    with live_hub(READERS) as hub, live_hub(READERS) as other, live_hub(READERS) as stand_in:
        default, ghcr = (_image(folder, number) for number in (1, 2))
        for each, image in ((hub, default), (other, ghcr), (stand_in, ghcr)):
            each.store.add_image(NAME, "1", image)
            each.store.add_image(SECRET, "1", image)
        configuration = CONFIGURATION.format(other=other.url, stand_in=stand_in.url)
        (folder / "hubmirror.toml").write_text(configuration)
        options = ("--config", str(folder / "hubmirror.toml"), *hub.upstream, "--workers", "2")
        mirror = start_mirror("serve", folder, "--http", "127.0.0.1:0", *options)
        try:
            yield Pair(mirror, Registry(hub, default), Registry(other, ghcr))
        finally:
            mirror.program.stop()
            assert "Traceback" not in mirror.program.text()


def _image(folder: Path, number: int) -> Image:
    """One that shares its first layer with the other."""
    layer = random_layer(folder / str(number), 100_000, number)
    return build_image({"amd64": [hello_layer("amd64"), layer]})


def digest(image: str, *options: str) -> str:
    """The digest of ``image`` as skopeo is told it."""
    arguments = ("--tls-verify=false", *options, "--format", "{{.Digest}}", f"docker://{image}")
    return run("skopeo", "inspect", "--no-tags", *arguments).strip()


def test_by_path_and_by_host(pair: Pair) -> None:
    """Skopeo asks for the same name three times, and gets two images."""
    authority = pair.mirror.authority
    assert digest(f"{authority}/{NAME}:1") == pair.default.digest
    assert digest(f"{authority}/ghcr.io/{NAME}:1") == pair.ghcr.digest
    assert digest(f"{pair.localhost}/{NAME}:1") == pair.ghcr.digest


def test_logins_are_a_hosts_own(pair: Pair) -> None:
    """Alice's for the host that leads to ghcr.io opens ghcr.io's; that for the other does not."""
    login = ("--creds", f"alice:{PASSWORDS['alice']}")
    authority = pair.mirror.authority
    assert digest(f"{authority}/{SECRET}:1", *login) == pair.default.digest
    assert digest(f"{pair.localhost}/{SECRET}:1", *login) == pair.ghcr.digest
    run(
        "skopeo",
        "inspect",
        "--tls-verify=false",
        *login,
        f"docker://{authority}/ghcr.io/{SECRET}:1",
        status=1,
    )


def test_containerd_by_ns(pair: Pair, tmp_path: Path) -> None:
    """Each registry has its ``hosts.toml``, all with the same host."""
    with running_containerd(tmp_path, pair.mirror) as containerd:
        hosts = tmp_path / "certs.d" / "ghcr.io" / "hosts.toml"
        hosts.parent.mkdir()
        hosts.write_text(HOSTS.format(mirror=pair.mirror))
        for registry, of in (("docker.io", pair.default), ("ghcr.io", pair.ghcr)):
            containerd.pull(f"{registry}/{NAME}:1")
            assert of.digest in containerd("images", "ls", f"name=={registry}/{NAME}:1")
    assert f"/v2/{NAME}/manifests/1?ns=ghcr.io" in pair.mirror.program.text()


def test_docker_by_path(pair: Pair, tmp_path: Path) -> None:
    """``docker pull HOST/ghcr.io/owner/app``: what was pulled is ghcr.io's, and runs."""
    image = f"{pair.mirror.authority}/ghcr.io/{NAME}:1"
    with running_dockerd(tmp_path, []) as docker:
        docker("pull", image)
        assert pair.ghcr.digest in docker("image", "inspect", image)
        assert docker.prints(image) == MESSAGE.decode()


def test_an_unknown_registry(pair: Pair) -> None:
    """It is named in what the client prints."""
    told = run(
        "skopeo",
        "inspect",
        "--tls-verify=false",
        f"docker://{pair.mirror.authority}/quay.io/a/b:1",
        status=1,
    )
    assert "this mirror does not have the registry" in told


def test_a_blob_of_both_comes_once(pair: Pair) -> None:
    """Blobs are shared, once the other registry says that it has it, too; rights are not."""
    shared = next(blob for blob in pair.default.image.blobs if blob in pair.ghcr.image.blobs)
    for name in (NAME, f"ghcr.io/{NAME}"):
        reply = pair.mirror.ask(f"/v2/{name}/blobs/{shared.digest}", token(pair.mirror, name))
        assert (reply.status, len(reply.body)) == (200, shared.size)
    gets = [
        count
        for registry in (pair.default, pair.ghcr)
        for (method, path, status), count in registry.hub.asked("blobs").items()
        if method == "GET" and shared.digest.encoded in path
    ]
    assert sum(gets) <= 1


def token(mirror: Mirror, name: str, user: str | None = None) -> Mapping[str, str]:
    """The header with a token for ``name``, as a client asks for it."""
    shown = basic(user) if user is not None else None
    reply = mirror.ask(f"/token?service=registry.demo&scope=repository:{name}:pull", shown)
    return {"Authorization": f"Bearer {json.loads(reply.body)['token']}"}


def test_a_stand_in(pair: Pair) -> None:
    """ghcr.io is gone: what was never pulled comes from the stand-in, what is private does not.

    This is the last test: it stays gone.
    """
    other = f"ghcr.io/{SECRET}"
    pair.ghcr.hub.vanish()
    layer = pair.ghcr.image.manifests[0].digest
    path = f"/v2/ghcr.io/{NAME}/manifests/{layer}"
    assert pair.mirror.ask(path, {**ACCEPT, **token(pair.mirror, f"ghcr.io/{NAME}")}).status == 200
    path = f"/v2/{other}/manifests/1"
    assert pair.mirror.ask(path, {**ACCEPT, **token(pair.mirror, other)}).status != 200
