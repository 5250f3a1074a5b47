"""Scopes on their way to Docker Hub."""

from __future__ import annotations

import pytest

from hubmirror.tokens.scopes import with_library_prefix


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("repository:busybox:pull", "repository:library/busybox:pull"),
        ("repository:library/busybox:pull", "repository:library/busybox:pull"),
        ("repository:busybox:pull,push", "repository:library/busybox:pull,push"),
        (
            "repository:a:pull repository:b/c:pull registry:catalog:*",
            "repository:library/a:pull repository:b/c:pull registry:catalog:*",
        ),
        ("registry:catalog:*", "registry:catalog:*"),
        ("nonsense", "nonsense"),
        ("", ""),
    ],
)
def test_mends_short_names(asked: str, sent: str) -> None:
    """A token asked for ``busybox`` opens ``library/busybox``; all else stays."""
    parameters = (("service", "hub"), ("scope", asked), ("scope", asked))
    assert with_library_prefix(parameters, True) == (
        ("service", "hub"),
        ("scope", sent),
        ("scope", sent),
    )


def test_leaves_other_registries_alone() -> None:
    """Elsewhere a name of one component is one."""
    parameters = (("scope", "repository:busybox:pull"),)
    assert with_library_prefix(parameters, False) == parameters
