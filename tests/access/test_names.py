"""Tests of how clients write repositories."""

from __future__ import annotations

from hubmirror.access.names import Names, full_name
from hubmirror.naming import Repository


def test_both_ways() -> None:
    """A scope's name and the repository that it means."""
    names = Names("docker.io", library_prefix=True)
    busybox = Repository("docker.io", "library/busybox")
    assert names.repository("busybox") == names.repository("library/busybox") == busybox
    assert names.written(busybox) == "library/busybox"
    assert full_name(busybox) == "docker.io/library/busybox"


def test_what_is_no_name() -> None:
    names = Names("registry.example", library_prefix=False)
    assert names.repository("busybox") == Repository("registry.example", "busybox")
    assert names.repository("No Name") is None
