"""The drop-in for podman and CRI-O."""

from __future__ import annotations

from pathlib import PurePosixPath

from attrs import evolve

from hubmirror.clients.address import MirrorAddress
from hubmirror.clients.podman import mirrors_of
from tests.clients.examples import CA, SECURE, TWO, files_of, merged

PLACE = "/etc/containers/registries.conf.d/hubmirror.conf"


def test_each_registry_has_its_path_at_the_mirror() -> None:
    """The default's images are at its root."""
    text = merged("podman", PLACE, TWO).encode()
    other = merged("podman", PLACE, evolve(TWO, default="ghcr.io")).encode()

    assert mirrors_of("docker.io", PurePosixPath(PLACE), text) == ["hub.example:5443"]
    assert mirrors_of("ghcr.io", PurePosixPath(PLACE), text) == ["hub.example:5443/ghcr.io"]
    assert mirrors_of("quay.io", PurePosixPath(PLACE), text) == []
    assert mirrors_of("docker.io", PurePosixPath(PLACE), other) == ["hub.example:5443/docker.io"]
    assert mirrors_of("ghcr.io", PurePosixPath(PLACE), other) == ["hub.example:5443"]


def test_plain_http_is_said_for_each() -> None:
    """Also on loopback."""
    mirror = MirrorAddress("http://127.0.0.1:5000", TWO.registries)

    assert merged("podman", PLACE, mirror).count("insecure = true\n") == 2
    assert "insecure" not in merged("podman", PLACE, TWO)


def test_the_ca_stands_where_podman_looks() -> None:
    """In a folder with the name of the host and its port."""
    trust, registries = files_of("podman", SECURE)

    assert str(trust.path) == "/etc/containers/certs.d/hub.example:5443/ca.crt"
    assert trust.merge(None) == CA
    assert registries.then is None


def test_crio_reads_the_same_files() -> None:
    """But must be told to."""
    paths = [[file.path for file in files_of(key, SECURE)] for key in ("podman", "crio")]

    assert paths[0] == paths[1]
    assert files_of("crio", SECURE)[-1].then == "systemctl reload crio"


def test_other_forms_are_understood() -> None:
    """A table by its prefix; one without a mirror; one that is no table."""
    text = (
        b'[[registry]]\nprefix = "docker.io"\nlocation = "x"\n[[registry.mirror]]\nlocation="y"\n'
    )

    assert mirrors_of("docker.io", PurePosixPath(PLACE), text) == ["y"]
    assert mirrors_of("docker.io", PurePosixPath(PLACE), b'registry = ["docker.io"]') == []
    assert mirrors_of("docker.io", PurePosixPath(PLACE), None) == []
