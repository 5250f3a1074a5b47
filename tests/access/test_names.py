"""Tests of how clients write repositories."""

from __future__ import annotations

from attrs import evolve

from hubmirror.access.names import Names, full_name
from hubmirror.naming import Repository, Tag
from hubmirror.question import Client, ManifestRequest, Ping, Question
from hubmirror.registries import Registries

REGISTRIES = Registries("docker.io", frozenset({"ghcr.io"}), prefixed=frozenset({"docker.io"}))
NAMES = Names(REGISTRIES)
BUSYBOX = Repository("docker.io", "library/busybox")
APP = Repository("ghcr.io", "owner/app")


def test_a_scope_names_a_repository() -> None:
    """As dockerd has it, by its path; or by the registry that the request is about."""
    assert NAMES.repository("busybox") == NAMES.repository("library/busybox") == BUSYBOX
    assert NAMES.repository("ghcr.io/owner/app") == APP
    assert NAMES.repository("owner/app", "ghcr.io") == APP
    assert NAMES.repository("ghcr.io/owner/app", "ghcr.io") == APP


def test_what_is_no_name() -> None:
    """Or one of a registry that this mirror does not have."""
    assert NAMES.repository("No Name") is None
    assert NAMES.repository("quay.io/owner/app") is None


def test_the_scope_that_a_challenge_names() -> None:
    """It is understood when it comes back."""
    client = Client("192.0.2.1", "http://mirror.example")
    question = Question("GET", ManifestRequest(BUSYBOX, Tag("x")), client)
    assert NAMES.scope(question) == "repository:library/busybox:pull"
    foreign = evolve(question, subject=ManifestRequest(APP, Tag("x")), is_foreign=True)
    assert NAMES.scope(foreign) == "repository:ghcr.io/owner/app:pull"
    assert NAMES.scope(evolve(question, subject=Ping())) is None
    assert full_name(APP) == "ghcr.io/owner/app"
