"""A real registry behind an embedded Hub, and the mirror before them: once for all tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from attrs import evolve, frozen

from hubmirror.demo.image import build_image, hello_image, hello_layer, random_layer
from tests.support.certificates import Authority
from tests.support.hub import TAGS, Content, Hub, start_hub
from tests.support.layouts import write_layout
from tests.support.mirror import Mirror, MirrorStarter, start_mirror
from tests.support.programs import Program, run

#: The size of the layer of ``library/big``, in bytes.
BIG = 200 << 20

#: Where a mirror listens.
PLAIN = ("--http", "127.0.0.1:0")
SECURE = ("--http", "off", "--https", "127.0.0.1:0")


@pytest.fixture(scope="session", autouse=True)
def _root() -> None:
    """The container daemons that these tests drive run as root alone."""
    assert os.geteuid() == 0, "the integration tests start dockerd and containerd: run as root"


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The CA of all that speaks TLS here."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def content(tmp_path_factory: pytest.TempPathFactory) -> Content:
    """The images, as names that skopeo reads."""
    folder = tmp_path_factory.mktemp("images")
    layer = random_layer(folder / "layer", BIG)
    big = build_image({"amd64": [hello_layer("amd64"), layer]})
    return Content(
        hello=write_layout(folder / "hello", hello_image()),
        big=write_layout(folder / "big", big),
        big_layer=str(layer.blob.digest),
    )


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory, content: Content) -> Iterator[str]:
    """The URL of Debian's ``docker-registry``, filled by ``skopeo copy``."""
    folder = tmp_path_factory.mktemp("registry")
    (folder / "config.yml").write_text(
        "version: 0.1\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/storage}}}}\n"
        "http: {addr: '127.0.0.1:0'}\n"
    )
    program = Program(
        ["docker-registry", "serve", folder / "config.yml"], folder / "log", cwd=folder
    )
    try:
        address = program.wait_for_line(r"listening on (127\.0\.0\.1:\d+)")[1]
        _push(content, address)
        yield f"http://{address}"
    finally:
        program.stop()


def _push(content: Content, address: str) -> None:
    images = {f"library/busybox:{tag}": content.hello for tag in TAGS}
    images |= {"team/secret:1.0": content.hello, "library/big:1.0": content.big}
    for name, layout in images.items():
        run(
            "skopeo",
            "copy",
            "--all",
            "--dest-tls-verify=false",
            layout,
            f"docker://{address}/{name}",
        )


@pytest.fixture(scope="session")
def hub(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority, registry: str
) -> Iterator[Hub]:
    """The Hub's front: challenge, token server and blob host, all TLS, before ``registry``."""
    hub = start_hub(tmp_path_factory.mktemp("hub"), authority, registry)
    try:
        yield hub
    finally:
        hub.program.stop()


@pytest.fixture(scope="session", params=["http", "https", "local-ca"])
def mirror(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    authority: Authority,
    hub: Hub,
) -> Iterator[Mirror]:
    """The mirror of ``hub`` that clients pull through: over HTTP, over TLS to two workers, and

    over its own CA.
    """
    start = {"http": _over_http, "https": _over_tls, "local-ca": _over_local_ca}[request.param]
    mirror = start(tmp_path_factory.mktemp(f"mirror-{request.param}"), authority, hub)
    try:
        yield mirror
    finally:
        mirror.program.stop()
    assert "Traceback" not in mirror.program.text(), mirror.program.text()


def _over_http(folder: Path, _authority: Authority, hub: Hub) -> Mirror:
    return start_mirror("twistd", folder, *PLAIN, *hub.upstream)


def _over_tls(folder: Path, authority: Authority, hub: Hub) -> Mirror:
    certificate = authority.issue("mirror")
    pair = ("--certificate", certificate, "--private-key", certificate.with_suffix(".key"))
    options = (*SECURE, *pair, "--workers", "2", *hub.upstream)
    return start_mirror("serve", folder, *options, scheme="https", ca=authority.certificate)


def _over_local_ca(folder: Path, _authority: Authority, hub: Hub) -> Mirror:
    mirror = start_mirror("twistd", folder, *SECURE, *hub.upstream, scheme="https")
    return evolve(mirror, ca=Path(mirror.program.wait_for_line(r"its CA, (\S+\.pem)")[1]))


@pytest.fixture
def trust(mirror: Mirror, tmp_path: Path) -> tuple[str | Path, ...]:
    """The options by which podman and skopeo speak to the mirror: plain HTTP, or TLS verified."""
    if mirror.ca is None:
        return ("--tls-verify=false",)
    folder = tmp_path / "trust"
    folder.mkdir()
    shutil.copyfile(mirror.ca, folder / "ca.crt")
    return ("--cert-dir", folder)


@frozen
class Way:
    """How clients come to a mirror: over which transport, and to how many processes."""

    is_secure: bool = False
    workers: int = 1

    def options(self, options: Sequence[str | Path], certificate: Path) -> list[str | Path]:
        """``options``, which say where to listen for plain HTTP, for this way."""
        found = list(options)
        if self.is_secure:
            found[found.index("--http")] = "--https"
            key = certificate.with_suffix(".key")
            found += ["--http", "off", "--certificate", certificate, "--private-key", key]
        if self.workers > 1 and "--config" not in found:
            # With the default of a thousand the keeper would answer all, and workers nothing.
            found += ["--quota-minute", "0"]
        return [*found, "--workers", str(self.workers)]


#: The ways that a module's tests go one by one, where it says ``EACH_WAY = True``: each transport,
#: one process and several; with ``ALL_WAYS`` in the environment, each with each.
WAYS = {"plain": Way(), "tls-workers": Way(is_secure=True, workers=2)}
if "ALL_WAYS" in os.environ:
    WAYS |= {
        "tls": Way(is_secure=True),
        "plain-4": Way(workers=4),
        "tls-4": Way(is_secure=True, workers=4),
    }


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """See ``WAYS``."""
    if getattr(metafunc.module, "EACH_WAY", False) and "start" in metafunc.fixturenames:
        metafunc.parametrize("way", WAYS.values(), ids=WAYS.keys(), indirect=True)


@pytest.fixture
def way(request: pytest.FixtureRequest) -> Way:
    """The way of this test."""
    found: Way = getattr(request, "param", Way())
    return found


@pytest.fixture
def start(tmp_path: Path, way: Way, authority: Authority) -> Iterator[MirrorStarter]:
    """Start mirrors of one's own: ``start(command, *options)``; all end with the test."""
    started: list[Mirror] = []

    def start_one(
        command: str, *options: str | Path, scheme: str = "http", ca: Path | None = None
    ) -> Mirror:
        if way != Way():
            options = tuple(way.options(options, authority.issue("mirror")))
        if way.is_secure:
            scheme, ca = "https", authority.certificate
        mirror = start_mirror(command, tmp_path / "mirror", *options, scheme=scheme, ca=ca)
        started.append(mirror)
        return mirror

    try:
        yield start_one
    finally:
        for mirror in started:
            mirror.program.stop()
