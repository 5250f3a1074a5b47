"""containerd pulls through the mirror by ``hosts.toml``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hubmirror.demo.program import MESSAGE
from tests.support.containerd import Containerd, running_containerd
from tests.support.mirror import Mirror

pytestmark = pytest.mark.integration

IMAGE = "docker.io/library/busybox:1.0"


@pytest.fixture(scope="module")
def containerd(mirror: Mirror, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containerd]:
    """A containerd that knows ``mirror`` as the host to ask for ``docker.io``."""
    with running_containerd(tmp_path_factory.mktemp("containerd"), mirror) as containerd:
        yield containerd


def test_pull_by_hosts_toml(containerd: Containerd, mirror: Mirror) -> None:
    """An image of ``docker.io`` comes through the mirror, and what was pulled runs."""
    containerd.pull(IMAGE)
    printed = containerd("run", "--rm", "--snapshotter", "native", IMAGE, "hello")

    assert printed == MESSAGE.decode()
    assert "/v2/library/busybox/manifests/1.0?ns=docker.io" in mirror.program.text()
