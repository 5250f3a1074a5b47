"""Images as files, loaded by the engines themselves."""

from __future__ import annotations

import http.client
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from hubmirror.demo.image import DOCKER, OCI, build_image, hello_image, hello_layer, random_layer
from hubmirror.demo.program import MESSAGE
from tests.integration.live_hub import LiveHub, live_hub
from tests.support.docker import Docker, running_dockerd
from tests.support.mirror import Mirror, start_mirror
from tests.support.programs import resident_bytes, run
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration

BIG = 64 << 20
AMD64 = "?platform=linux/amd64"


@pytest.fixture(scope="module")
def hub() -> Iterator[LiveHub]:
    """With images of either kind, a private one, and a large one."""
    with live_hub({"team/secret": frozenset({"alice"})}) as hub, TemporaryDirectory() as folder:
        for kind, name in ((OCI, "oci"), (DOCKER, "docker")):
            hub.call(hub.store.add_image, "library/busybox", name, hello_image(kind))
        hub.call(hub.store.add_image, "team/secret", "1", hello_image())
        large = random_layer(Path(folder) / "layer", BIG)
        image = build_image({"amd64": [hello_layer("amd64"), large]})
        hub.call(hub.store.add_image, "library/big", "1", image)
        yield hub


@pytest.fixture(scope="module", params=[1, 2], ids=["alone", "workers"])
def mirror(
    request: pytest.FixtureRequest, hub: LiveHub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mirror]:
    """Of one process, or of several."""
    folder = tmp_path_factory.mktemp("mirror")
    options = ("--http", "127.0.0.1:0", "--workers", str(request.param), *hub.upstream)
    mirror = start_mirror("serve", folder, *options)
    try:
        yield mirror
    finally:
        mirror.program.stop()
    assert "Traceback" not in mirror.program.text(), mirror.program.text()


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    """A dockerd that knows nothing of the mirror."""
    with running_dockerd(tmp_path_factory.mktemp("docker"), []) as docker:
        yield docker


def fetched(mirror: Mirror, folder: Path, name: str, *options: str) -> Path:
    """The file that ``curl`` writes, under the name that the mirror gives it."""
    options = ("--silent", "--show-error", "--fail", "--remote-header-name", *options)
    run("curl", *options, "--remote-name", f"{mirror.url}/image/{name}", cwd=folder)
    (found,) = folder.glob("*.tar")
    return found


@pytest.mark.parametrize("kind", ["oci", "docker"])
def test_docker_load(docker: Docker, mirror: Mirror, tmp_path: Path, kind: str) -> None:
    """With its tag, and what was loaded runs."""
    path = fetched(mirror, tmp_path, f"busybox:{kind}.tar{AMD64}")

    printed = docker("load", "--input", str(path))

    assert path.name == f"busybox_{kind}_linux-amd64.tar"
    assert f"/library/busybox:{kind}" in printed
    assert docker.prints(printed.split()[-1]) == MESSAGE.decode()


def test_docker_load_by_digest(docker: Docker, mirror: Mirror, tmp_path: Path) -> None:
    """Without a tag, for there is none; a stream is as good as a file."""
    digest = json.loads(mirror.ask("/image/busybox:oci.json").body)["platforms"][0]["digest"]
    path = fetched(mirror, tmp_path, f"busybox@{digest}.tar")

    printed = docker("load", "--input", str(path))

    assert "Loaded image ID: sha256:" in printed


@pytest.mark.parametrize("transport", ["docker-archive", "oci-archive"])
def test_skopeo_reads_it(mirror: Mirror, tmp_path: Path, transport: str) -> None:
    """As either kind of archive, and of the platform that was asked for."""
    path = fetched(mirror, tmp_path, "busybox:oci.tar?platform=linux/arm64")

    inspected = json.loads(run("skopeo", "inspect", f"{transport}:{path}"))
    run("skopeo", "copy", f"{transport}:{path}", f"dir:{tmp_path}/copy")

    assert inspected["Architecture"] == "arm64"


def test_podman_load(mirror: Mirror, tmp_path: Path) -> None:
    """With its tag."""
    path = fetched(mirror, tmp_path, f"busybox:docker.tar{AMD64}")
    with TemporaryDirectory(prefix="podman-") as root:  # it takes paths of 50 characters at most
        storage = ("--root", f"{root}/root", "--runroot", f"{root}/run", "--storage-driver", "vfs")

        printed = run("podman", *storage, "load", "--input", path)

    assert "/library/busybox:docker" in printed


def test_a_private_image_is_its_readers(mirror: Mirror, tmp_path: Path) -> None:
    """By the token that ``/token`` gives him, or by his password."""
    path = f"/image/team/secret:1.tar{AMD64}"
    refused = mirror.ask(path)
    assert refused.status == 401
    assert f'realm="{mirror.url}/token"' in refused.headers["WWW-Authenticate"]
    assert mirror.ask(path, mirror.bearer("team/secret")).status == 401

    name = path.removeprefix("/image/")
    assert tarfile.is_tarfile(fetched(mirror, tmp_path, name, "--user", "alice:wonderland"))


def test_a_slow_client_costs_no_memory(mirror: Mirror) -> None:
    """It is as large as was said, whoever asks; and when the client has gone, it is ended."""
    length = mirror.ask("/image/big:1.tar", method="HEAD").headers["Content-Length"]
    before = resident_bytes(mirror.program.pid)
    connection, response = opened(mirror, "big:1.tar")

    assert response.headers["Content-Length"] == length
    assert int(length) > BIG
    assert len(response.read(1 << 20)) == 1 << 20
    wait_until(lambda: json.loads(mirror.ask("/quota").body)["fetches"] == [], "all is fetched")
    assert resident_bytes(mirror.program.pid) - before < BIG // 2

    response.close()
    connection.close()
    wait_until(lambda: "aborted=True" in told(mirror, "big:1.tar"), "the end of the answer")


def test_what_the_upstream_lacks_makes_no_whole_file(mirror: Mirror, hub: LiveHub) -> None:
    """The client notices, and the log tells why."""
    name, image = f"library/broken-{mirror.port}", hello_image()
    for manifest in image.manifests:
        hub.call(hub.store.add_manifest, name, manifest)
    hub.call(hub.store.add_manifest, name, image.index, "1")
    configs = {each.document["config"]["digest"] for each in image.manifests}
    for blob in image.blobs:
        if str(blob.digest) in configs:
            hub.call(hub.store.add_blob, name, blob)
    _, response = opened(mirror, f"{name}:1.tar{AMD64}")

    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        response.read()

    wait_until(lambda: "is answered with 404" in mirror.program.text(), "a word in the log")


def opened(
    mirror: Mirror, name: str
) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    """The beginning of a tar, on a connection of its own."""
    connection = mirror.connect()
    connection.request("GET", f"/image/{name}")
    response = connection.getresponse()
    assert response.status == 200
    return connection, response


def told(mirror: Mirror, path: str) -> str:
    """The last line of the access log about ``path``."""
    return [line for line in mirror.program.text().splitlines() if path in line][-1]
