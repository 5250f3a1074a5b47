"""What a client is told of the mirror."""

from __future__ import annotations

import pytest

from hubmirror.clients.address import MirrorAddress, server_of


@pytest.mark.parametrize(
    ("url", "authority", "is_plain", "is_loopback"),
    [
        ("https://hub.example", "hub.example", False, False),
        ("http://hub.example:5000", "hub.example:5000", True, False),
        ("http://127.0.0.1:5000", "127.0.0.1:5000", True, True),
        ("http://[::1]:5000", "[::1]:5000", True, True),
        ("http://localhost:5000", "localhost:5000", True, True),
        ("http://127.evil.example", "127.evil.example", True, False),
        ("http://localhost.evil.example", "localhost.evil.example", True, False),
    ],
)
def test_url(url: str, authority: str, is_plain: bool, is_loopback: bool) -> None:
    """What follows from the URL; a name that looks like loopback is none."""
    mirror = MirrorAddress(url)

    assert mirror.authority == authority
    assert mirror.is_plain is is_plain
    assert mirror.is_loopback is is_loopback


def test_registries_have_servers() -> None:
    """Docker Hub's is called otherwise than the registry."""
    assert server_of("docker.io") == "https://registry-1.docker.io"
    assert server_of("ghcr.io") == "https://ghcr.io"
