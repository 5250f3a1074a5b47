"""Kinds of requests."""

from __future__ import annotations

import pytest

from hubmirror.errors import NameInvalid
from hubmirror.naming import Digest, Repository, Tag
from hubmirror.question import (
    BlobRequest,
    CatalogRequest,
    Client,
    ManifestRequest,
    Ping,
    Preflight,
    Question,
    ReferrersRequest,
    Refusal,
    Subject,
    TagsRequest,
    TokenRequest,
)
from hubmirror.quota.kinds import Kind, kind_of

REPOSITORY = Repository("docker.io", "library/busybox")
DIGEST = Digest("sha256", "0" * 64)


@pytest.mark.parametrize(
    ("method", "subject", "kind"),
    [
        ("GET", Ping(), Kind.PING),
        ("GET", TokenRequest(()), Kind.TOKEN),
        ("POST", TokenRequest((), is_form=True), Kind.TOKEN),
        ("GET", ManifestRequest(REPOSITORY, Tag("latest")), Kind.MANIFEST_GET),
        ("HEAD", ManifestRequest(REPOSITORY, Tag("latest")), Kind.MANIFEST_HEAD),
        ("GET", ManifestRequest(REPOSITORY, DIGEST), Kind.MANIFEST_GET),
        ("GET", BlobRequest(REPOSITORY, DIGEST), Kind.BLOB),
        ("HEAD", BlobRequest(REPOSITORY, DIGEST), Kind.BLOB),
        ("GET", TagsRequest(REPOSITORY), Kind.TAGS),
        ("GET", ReferrersRequest(REPOSITORY, DIGEST), Kind.OTHER),
        ("GET", CatalogRequest(), Kind.OTHER),
        ("OPTIONS", Preflight(), Kind.OTHER),
        ("GET", Refusal(NameInvalid()), Kind.OTHER),
    ],
)
def test_kind_of_a_question(method: str, subject: Subject, kind: Kind) -> None:
    """By what is asked for; a HEAD is another thing for manifests alone: no pull."""
    assert kind_of(Question(method, subject, Client("192.0.2.1", "https://mirror"))) is kind


def test_kinds_keep_their_numbers() -> None:
    """They are on the disk; a new one goes to the end."""
    assert [kind.label for kind in Kind][:7] == [
        "token",
        "ping",
        "manifest_get",
        "manifest_head",
        "blob",
        "tags",
        "other",
    ]
    assert [int(kind) for kind in Kind] == list(range(len(Kind)))
