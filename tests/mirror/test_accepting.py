"""Which of a tag's manifests a client gets."""

from __future__ import annotations

import pytest

from hubmirror.cache.interfaces import TagEntry
from hubmirror.mirror.accepting import accepted_types, accepts, choose, variant_of
from hubmirror.naming import Digest, Repository

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI = "application/vnd.oci.image.manifest.v1+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
DOCKERD = (DOCKER, LIST, OCI_INDEX, OCI, "application/json", "*/*")
CONTAINERD = (f"{DOCKER}, {LIST}, {OCI}, {OCI_INDEX}, */*",)
OLD = (DOCKER,)
REPOSITORY = Repository("docker.io", "library/busybox")


def entry(accept: tuple[str, ...], media_type: str, number: int) -> TagEntry:
    digest = Digest("sha256", f"{number:064x}")
    variant = variant_of(accept, media_type)
    return TagEntry(REPOSITORY, "latest", variant, digest, media_type, 0.0)


def test_types_are_listed_in_any_form() -> None:
    """Several fields, several types in one, parameters, any case."""
    fields = ("Application/A;q=0.5, application/b", "application/c ; charset=x", "d/e;q=0")
    assert accepted_types(fields) == {"application/a", "application/b", "application/c"}


@pytest.mark.parametrize(
    ("accept", "is_right"),
    [((), True), (("*/*",), True), (("application/*",), True), (OLD, False), (DOCKERD, True)],
)
def test_what_a_client_takes(accept: tuple[str, ...], is_right: bool) -> None:
    """No list, or a wildcard, takes an index."""
    assert accepts(accept, LIST) is is_right


def test_one_index_serves_all_who_list_its_type() -> None:
    """However they order their lists: each would have got it from the upstream."""
    kept = entry(DOCKERD, LIST, 1)
    assert choose([kept], CONTAINERD) == kept
    assert choose([kept], (LIST,)) == kept


def test_an_index_is_never_given_to_who_does_not_list_it() -> None:
    """Old clients break on it; so does one that lists the other kind of index."""
    kept = entry(DOCKERD, LIST, 1)
    assert choose([kept], OLD) is None
    assert choose([kept], (OCI_INDEX, OCI)) is None
    assert choose([kept], ("*/*",)) is None


def test_what_was_made_for_old_clients_is_theirs() -> None:
    """It is not what the tag is: a client that takes an index must not get it."""
    made = entry(OLD, DOCKER, 2)
    assert choose([made], OLD) == made
    assert choose([made], DOCKERD) is None
    natural = entry(DOCKERD, LIST, 1)
    assert choose([made, natural], DOCKERD) == natural
    assert choose([made, natural], OLD) == made


def test_a_plain_manifest_is_natural_where_an_index_was_welcome() -> None:
    """A tag without platforms: all who list its type get it, the old ones too."""
    kept = entry(DOCKERD, DOCKER, 3)
    assert choose([kept], OLD) == kept
    assert choose([kept], CONTAINERD) == kept


def test_without_a_list_an_answer_is_for_such_clients_alone() -> None:
    """What curl got tells nothing of what docker gets."""
    kept = entry((), DOCKER, 4)
    assert choose([kept], ()) == kept
    assert choose([kept], DOCKERD) is None
