"""The packages that ``make package-test`` has built, and what they are tried with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hubmirror.demo.image import hello_image
from tests.integration.live_hub import LiveHub, live_hub

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def wheel() -> Path:
    """The wheel."""
    return built("hubmirror-*.whl")


@pytest.fixture(scope="session")
def sdist() -> Path:
    """The source distribution."""
    return built("hubmirror-*.tar.gz")


@pytest.fixture(scope="session")
def deb() -> Path:
    """The Debian package."""
    return built("hubmirror_*.deb")


@pytest.fixture
def hub() -> Iterator[LiveHub]:
    """A small Docker Hub that holds ``library/hello``."""
    with live_hub() as hub:
        hub.store.add_image("library/hello", "latest", hello_image())
        yield hub


def built(pattern: str) -> Path:
    """The one file of ``dist/`` that is called so."""
    found = list((ROOT / "dist").glob(pattern))
    assert len(found) == 1, f"dist/ has {found}: `make package-test` builds what it tries"
    return found[0]
