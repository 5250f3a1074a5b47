"""Which registry a request is about."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.errors import NameUnknown
from hubmirror.naming import Repository
from hubmirror.registries import Registries

HUB = "docker.io"
MANY = Registries(
    HUB,
    frozenset({HUB, "ghcr.io", "registry.example:5443"}),
    {"ghcr.hub.example": "ghcr.io", "hub.example:8443": "ghcr.io"},
    frozenset({HUB}),
    ("*.gcr.io", "quay.io"),
)
OWN = Registries("registry.example")


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("docker.io", HUB),
        ("index.docker.io", HUB),
        ("registry-1.docker.io", HUB),
        ("ghcr.io", "ghcr.io"),
        ("GHCR.io", "ghcr.io"),
        ("registry.example:5443", "registry.example:5443"),
        ("registry.example", None),
        ("quay.io", "quay.io"),
        ("eu.gcr.io", "eu.gcr.io"),
        ("gcr.io", None),
        ("evil.example/x.gcr.io", None),
        ("evil.example#.gcr.io", None),
        ("user@x.gcr.io", None),
        ("", None),
    ],
)
def test_known(name: str, known: str | None) -> None:
    """By name, in any case, or by a pattern; nothing but a host and a port is one."""
    assert MANY.known(name) == known
    if known is None:
        with pytest.raises(NameUnknown):
            MANY.find(name)


def test_another_mirror_of_docker_hub() -> None:
    """A URL of one's own is Docker Hub's name for clients, unless a registry is called so."""
    assert OWN.known("docker.io") == "registry.example"
    assert OWN.known("ghcr.io") is None


@pytest.mark.parametrize(
    ("url", "home"),
    [
        ("https://ghcr.hub.example", "ghcr.io"),
        ("https://ghcr.hub.example:8443", "ghcr.io"),
        ("http://hub.example:8443", "ghcr.io"),
        ("http://hub.example", HUB),
        ("http://[::1]:5000", HUB),
        ("http://evil.example", HUB),
    ],
)
def test_home(url: str, home: str) -> None:
    """A host leads to its registry, on any port unless one is set; any other to the default."""
    assert MANY.home(url) == home


@pytest.mark.parametrize(
    ("home", "namespace", "name", "registry", "rest"),
    [
        (HUB, None, "library/busybox", HUB, "library/busybox"),
        (HUB, None, "busybox", HUB, "busybox"),
        (HUB, None, "ghcr.io/owner/app", "ghcr.io", "owner/app"),
        (HUB, None, "docker.io/owner/app", HUB, "owner/app"),
        (HUB, None, "registry.example:5443/app", "registry.example:5443", "app"),
        (HUB, None, "eu.gcr.io/owner/app", "eu.gcr.io", "owner/app"),
        (HUB, "ghcr.io", "owner/app", "ghcr.io", "owner/app"),
        (HUB, "ghcr.io", "quay.io/owner/app", "ghcr.io", "quay.io/owner/app"),
        ("ghcr.io", None, "quay.io/app", "ghcr.io", "quay.io/app"),
        ("ghcr.io", "docker.io", "owner/app", HUB, "owner/app"),
    ],
)
def test_chosen(home: str, namespace: str | None, name: str, registry: str, rest: str) -> None:
    """By ``ns``, by the host, by the first component, else the default."""
    chosen, components = MANY.chosen(home, namespace, name.split("/"))
    assert (chosen, "/".join(components)) == (registry, rest)


@pytest.mark.parametrize("name", ["evil.example/app", "localhost/app", "gcr.io/a/b"])
def test_a_registry_that_is_not_there(name: str) -> None:
    """Docker Hub has no such names: they can't be meant."""
    with pytest.raises(NameUnknown):
        MANY.chosen(HUB, None, name.split("/"))
    assert OWN.chosen("registry.example", None, name.split("/"))[0] == "registry.example"


def test_a_namespace_that_is_not_there() -> None:
    """It is never answered out of another registry."""
    for registries in (MANY, OWN):
        with pytest.raises(NameUnknown):
            registries.chosen(registries.default, "evil.example", ["a", "b"])


def test_official_images() -> None:
    """Only where the registry has them."""
    assert MANY.repository(HUB, "busybox") == Repository(HUB, "library/busybox")
    assert MANY.repository("ghcr.io", "busybox") == Repository("ghcr.io", "busybox")


@given(st.text(max_size=300), st.lists(st.text(max_size=20), max_size=4))
def test_anything(namespace: str, components: list[str]) -> None:
    """Any text leads to a registry that is known, or is refused."""
    try:
        chosen, _ = MANY.chosen(HUB, namespace, components)
    except NameUnknown:
        return
    assert chosen in MANY.named or chosen.endswith(".gcr.io") or chosen == "quay.io"
