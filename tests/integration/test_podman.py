"""podman pulls through the mirror by ``registries.conf``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.mirror import Mirror
from tests.support.programs import run

pytestmark = pytest.mark.integration

REGISTRIES = """\
unqualified-search-registries = ["docker.io"]
[[registry]]
prefix = "docker.io"
location = "docker.io"
[[registry.mirror]]
location = "{mirror.authority}"
insecure = {insecure}
"""


@pytest.fixture
def runroot() -> Iterator[str]:
    """A folder with a short name: podman takes no more than 50 characters."""
    with TemporaryDirectory(prefix="podman-") as folder:
        yield folder


def test_pull_by_registries_conf(
    mirror: Mirror, trust: tuple[str | Path, ...], tmp_path: Path, runroot: str
) -> None:
    """``podman pull busybox`` comes through the mirror, its certificate verified."""
    insecure = str(mirror.url.startswith("http:")).lower()
    (tmp_path / "registries.conf").write_text(REGISTRIES.format(mirror=mirror, insecure=insecure))
    storage = ("--root", tmp_path / "root", "--runroot", runroot)
    podman = ("podman", *storage, "--storage-driver", "vfs")
    environment = {"CONTAINERS_REGISTRIES_CONF": str(tmp_path / "registries.conf")}

    run(*podman, "pull", *trust, "busybox:1.0", env=environment)

    assert "docker.io/library/busybox" in run(*podman, "images", env=environment)
    assert "/v2/library/busybox/manifests/1.0" in mirror.program.text()
