"""Where searches go."""

from __future__ import annotations

import pytest

from hubmirror.config import load


@pytest.mark.parametrize(
    ("flags", "url"),
    [
        ({}, "https://index.docker.io"),
        ({"search_upstream": "off"}, None),
        ({"upstream": "https://registry.example"}, None),
        ({"search_upstream": "https://search.example/"}, "https://search.example"),
    ],
)
def test_where_searches_go(flags: dict[str, str], url: str | None) -> None:
    """To Docker Hub's own search where that is the upstream, or where the operator says."""
    assert load(flags, {}, uid=0).config.search_url == url


def test_it_is_a_host_alone() -> None:
    """As all upstreams are."""
    with pytest.raises(Exception, match="search_upstream"):
        load({"search_upstream": "https://search.example/v1"}, {}, uid=0)
