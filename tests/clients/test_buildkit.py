"""BuildKit's ``buildkitd.toml``."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from hubmirror.clients.address import MirrorAddress
from hubmirror.clients.toml_file import read_toml
from tests.clients.examples import SECURE, TWO, files_of, merged

PLACE = "/etc/buildkit/buildkitd.toml"


def registries(text: str) -> dict[str, Any]:
    """What the file says of registries."""
    found: dict[str, Any] = read_toml(PurePosixPath(PLACE), text.encode())["registry"]
    return found


def test_each_registry_has_the_mirror() -> None:
    """BuildKit tells it by ``?ns=`` which is meant."""
    assert registries(merged("buildkit", PLACE, TWO)) == {
        "docker.io": {"mirrors": ["hub.example:5443"]},
        "ghcr.io": {"mirrors": ["hub.example:5443"]},
    }


def test_what_is_there_stays() -> None:
    """With its comments; the mirror comes before others, and stands once."""
    before = '[registry."docker.io"]\n  # why\n  mirrors = ["a", "hub.example:5443"]\n[worker]\n'

    after = merged("buildkit", PLACE, SECURE, before)

    assert registries(after) == {
        "docker.io": {"mirrors": ["hub.example:5443", "a"]},
        "hub.example:5443": {"ca": ["/etc/buildkit/hubmirror.crt"]},
    }
    assert "  # why\n" in after
    assert merged("buildkit", PLACE, SECURE, after) == after


def test_new_and_merged_say_the_same() -> None:
    """Plain HTTP, or a CA."""
    plain = MirrorAddress("http://hub.example:5000", TWO.registries)
    for mirror in (plain, SECURE, TWO):
        new, added = merged("buildkit", PLACE, mirror), merged("buildkit", PLACE, mirror, "# a\n")
        assert registries(new) == registries(added)


def test_the_ca_is_beside_it() -> None:
    """From where ``docker buildx create`` takes it along."""
    trust, configuration = files_of("buildkit", SECURE, place="/srv/b/buildkitd.toml")

    assert str(trust.path) == "/srv/b/hubmirror.crt"
    assert b'ca = ["/srv/b/hubmirror.crt"]' in configuration.merge(None)
    assert "/srv/b/buildkitd.toml" in (configuration.then or "")
