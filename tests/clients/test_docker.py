"""docker's ``daemon.json``."""

from __future__ import annotations

import json
from pathlib import PurePosixPath

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.clients.address import MirrorAddress
from hubmirror.clients.docker import DOCKER, mirrors_in
from hubmirror.clients.files import SetupError
from tests.clients.examples import CA, SECURE, TWO, URL, files_of, merged

PLACE = "/etc/docker/daemon.json"

others = st.lists(st.sampled_from([URL, f"{URL}/", "https://a.example", "https://b.example/"]))
keys = st.text(max_size=5).filter(lambda key: key != "registry-mirrors")
daemons = st.dictionaries(keys, st.booleans() | st.integers() | st.text(max_size=5), max_size=4)


@given(daemons, st.none() | others, st.sampled_from([None, 1, "\t"]))
def test_all_keys_are_kept_and_the_mirrors_extended(
    daemon: dict[str, object], mirrors: list[str] | None, indent: int | str | None
) -> None:
    """The new one is the first, and stands once; again, and nothing changes."""
    before = daemon if mirrors is None else {**daemon, "registry-mirrors": mirrors}

    text = merged("docker", PLACE, SECURE, json.dumps(before, indent=indent))
    after = json.loads(text)

    kept = [one for one in mirrors or [] if one.rstrip("/") != URL]
    assert after == {**before, "registry-mirrors": [URL, *kept]}
    assert merged("docker", PLACE, SECURE, text) == text


@pytest.mark.parametrize(
    ("url", "insecure"),
    [
        ("http://hub.example:5000", ["hub.example:5000", "old"]),
        ("http://127.0.0.1:5000", ["old"]),
        (URL, ["old"]),
    ],
)
def test_plain_http_is_added_to_the_insecure(url: str, insecure: list[str]) -> None:
    """Where docker does not trust it anyhow."""
    after = merged("docker", PLACE, MirrorAddress(url), '{"insecure-registries": ["old"]}')

    assert json.loads(after)["insecure-registries"] == insecure


def test_the_indentation_stays() -> None:
    """A tab, here."""
    after = merged("docker", PLACE, SECURE, '{\n\t"debug": true\n}\n')

    assert after.startswith('{\n\t"debug": true,\n\t"registry-mirrors": [\n\t\t"')


@pytest.mark.parametrize(
    ("place", "certificate", "command"),
    [
        (PLACE, "/etc/docker/certs.d/hub.example:5443/ca.crt", "systemctl reload docker"),
        (
            "/home/u/.config/docker/daemon.json",
            "/home/u/.config/docker/certs.d/hub.example:5443/ca.crt",
            "systemctl --user reload docker",
        ),
        (
            "/var/snap/docker/current/config/daemon.json",
            "/etc/docker/certs.d/hub.example:5443/ca.crt",
            "snap restart docker",
        ),
    ],
)
def test_the_ca_stands_where_docker_looks(place: str, certificate: str, command: str) -> None:
    """It is written before what points to the mirror."""
    trust, daemon = files_of("docker", SECURE, place=place)

    assert (str(trust.path), trust.merge(None)) == (certificate, CA)
    assert (str(daemon.path), daemon.then) == (place, command)


def test_other_registries_are_told_of() -> None:
    """Docker has no mirrors for them."""
    assert "docker pull hub.example:5443/ghcr.io/NAME" in "".join(DOCKER.notes(TWO))
    for none in (MirrorAddress(URL, ("ghcr.io",)), evolve(TWO, default="ghcr.io")):
        with pytest.raises(SetupError, match="Docker Hub alone"):
            files_of("docker", none)


def test_a_login_in_the_clear_is_told_of() -> None:
    """As dockerd sends it unasked."""
    assert "logins" in "".join(DOCKER.notes(MirrorAddress("http://hub.example:5000")))
    assert not list(DOCKER.notes(MirrorAddress("http://127.0.0.1:5000")))


def test_mirrors_are_found() -> None:
    """Those that a file has."""
    text = merged("docker", PLACE, SECURE).encode()

    assert mirrors_in(PurePosixPath(PLACE), text) == [URL]
    assert mirrors_in(PurePosixPath(PLACE), None) == []
