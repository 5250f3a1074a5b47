"""Paths become subjects, parsed from the right."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.errors import DigestInvalid, ManifestInvalid, NameInvalid, NotFound, RegistryError
from hubmirror.naming import Digest, Repository, Tag
from hubmirror.question import (
    BlobRequest,
    CatalogRequest,
    ManifestRequest,
    Ping,
    ReferrersRequest,
    TagsRequest,
)
from hubmirror.registries import Registries
from hubmirror.registry.paths import PathGrammar

HEX = "0123456789abcdef" * 4
HUB = PathGrammar(Registries("docker.io", prefixed=frozenset({"docker.io"})))
OWN = PathGrammar(Registries("registry.example"))
BUSYBOX = Repository("docker.io", "library/busybox")


def segments(path: str) -> list[str]:
    return path.split("/")


@pytest.mark.parametrize(
    ("path", "subject"),
    [
        ("", Ping()),
        ("_catalog", CatalogRequest()),
        ("busybox/manifests/latest", ManifestRequest(BUSYBOX, Tag("latest"))),
        ("library/busybox/manifests/latest", ManifestRequest(BUSYBOX, Tag("latest"))),
        (
            f"a/b/manifests/sha256:{HEX}",
            ManifestRequest(Repository("docker.io", "a/b"), Digest("sha256", HEX)),
        ),
        (f"busybox/blobs/sha256:{HEX}", BlobRequest(BUSYBOX, Digest("sha256", HEX))),
        (f"busybox/blobs/sha512:{HEX}{HEX}", BlobRequest(BUSYBOX, Digest("sha512", HEX + HEX))),
        (f"busybox/referrers/sha256:{HEX}", ReferrersRequest(BUSYBOX, Digest("sha256", HEX))),
        ("busybox/tags/list", TagsRequest(BUSYBOX)),
        (
            "manifests/blobs/tags/manifests/tags",
            ManifestRequest(Repository("docker.io", "manifests/blobs/tags"), Tag("tags")),
        ),
        (
            "manifests/manifests/list",
            ManifestRequest(Repository("docker.io", "library/manifests"), Tag("list")),
        ),
    ],
)
def test_parses(path: str, subject: object) -> None:
    """Each endpoint of the spec, also for names that hold its words."""
    assert HUB.parse(segments(path), ()) == subject


def test_names_of_another_registry_stay_short() -> None:
    """Only Docker Hub has official images."""
    subject = OWN.parse(segments("busybox/tags/list"), ())
    assert subject == TagsRequest(Repository("registry.example", "busybox"))


def test_keeps_only_the_parameters_of_the_endpoint() -> None:
    """``ns`` and whatever else a client adds does not go upstream."""
    query = (("ns", "docker.io"), ("n", "5"), ("last", "a"), ("artifactType", "x"))
    tags = HUB.parse(segments("busybox/tags/list"), query)
    assert tags == TagsRequest(BUSYBOX, (("n", "5"), ("last", "a")))
    referrers = HUB.parse(segments(f"busybox/referrers/sha256:{HEX}"), query)
    assert isinstance(referrers, ReferrersRequest)
    assert referrers.query == (("artifactType", "x"),)


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("busybox", NotFound),
        ("busybox/tags", NotFound),
        ("busybox/tags/other", NotFound),
        ("busybox/uploads/1", NotFound),
        ("busybox/blobs/uploads", DigestInvalid),
        ("Busybox/manifests/latest", NameInvalid),
        ("../manifests/latest", NameInvalid),
        ("a//b/manifests/latest", NameInvalid),
        ("/manifests/latest", NameInvalid),
        ("a" * 250 + "/manifests/latest", NameInvalid),
        ("busybox/manifests/", ManifestInvalid),
        ("busybox/manifests/.hidden", ManifestInvalid),
        ("busybox/manifests/" + "a" * 129, ManifestInvalid),
        (f"busybox/blobs/sha256:{HEX.upper()}", DigestInvalid),
        (f"busybox/blobs/sha256:{HEX}0", DigestInvalid),
        (f"busybox/blobs/md5:{HEX[:32]}", DigestInvalid),
        (f"busybox/blobs/sha256:{HEX}\n", DigestInvalid),
    ],
)
def test_refuses(path: str, error: type[RegistryError]) -> None:
    """Whatever is outside the grammar."""
    with pytest.raises(error):
        HUB.parse(segments(path), ())


def test_an_encoded_slash_is_no_separator() -> None:
    """``%2F`` in a segment does not make two components of it."""
    with pytest.raises(NameInvalid):
        HUB.parse(["a/b", "manifests", "latest"], ())


@given(st.lists(st.text(max_size=12), max_size=6))
def test_never_fails_otherwise(parts: list[str]) -> None:
    """Any path is a subject or a registry error."""
    with contextlib.suppress(RegistryError):
        HUB.parse(parts, ())
