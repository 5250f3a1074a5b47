"""dockerd pulls through the mirror: as one of its ``registry-mirrors``, and by ``HOST/NAME``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hubmirror.demo.program import MESSAGE
from tests.support.docker import Docker, running_dockerd
from tests.support.hub import PASSWORD, USER
from tests.support.mirror import Mirror

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def dockerd(mirror: Mirror, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    """A dockerd with ``mirror`` as its only registry mirror."""
    with running_dockerd(tmp_path_factory.mktemp("docker"), [mirror.url]) as docker:
        yield docker


@pytest.fixture
def docker(dockerd: Docker) -> Docker:
    """The daemon without any image or login."""
    dockerd.forget()
    return dockerd


def test_registry_mirrors(docker: Docker, mirror: Mirror) -> None:
    """``docker pull busybox`` comes through the mirror, and what was pulled runs."""
    docker("pull", "busybox:1.0")

    assert docker.prints("busybox:1.0") == MESSAGE.decode()
    assert "/v2/library/busybox/manifests/1.0" in mirror.program.text()


def test_by_host_and_short_name(docker: Docker, mirror: Mirror) -> None:
    """``docker pull HOST/busybox`` is the Hub's ``library/busybox``, and runs."""
    image = f"{mirror.authority}/busybox:1.1"

    docker("pull", image)

    assert docker.prints(image) == MESSAGE.decode()


def test_by_digest(docker: Docker, mirror: Mirror) -> None:
    """An image is pulled by its digest."""
    printed = docker("pull", f"{mirror.authority}/library/busybox:1.0")
    digest = printed.split("Digest: ")[1].split()[0]
    docker.forget()

    docker("pull", f"{mirror.authority}/busybox@{digest}")


def test_private_image_refused_anonymously(docker: Docker, mirror: Mirror) -> None:
    """Without a login a private image stays closed, in docker's usual words."""
    printed = docker("pull", f"{mirror.authority}/team/secret:1.0", status=None)

    assert "denied" in printed or "unauthorized" in printed


def test_private_image_for_its_owner(docker: Docker, mirror: Mirror) -> None:
    """``docker login`` at the mirror opens the owner's private image; nothing logs the password."""
    image = f"{mirror.authority}/team/secret:1.0"

    docker("login", mirror.authority, "--username", USER, "--password-stdin", stdin=PASSWORD)
    docker("pull", image)

    assert docker.prints(image) == MESSAGE.decode()
    assert PASSWORD not in mirror.program.text()


def test_short_name_after_login(docker: Docker, mirror: Mirror) -> None:
    """A login makes docker ask for tokens by POST; the short name still means ``library/``."""
    docker("login", mirror.authority, "--username", USER, "--password-stdin", stdin=PASSWORD)

    docker("pull", f"{mirror.authority}/busybox:1.2")


def test_wrong_password(docker: Docker, mirror: Mirror) -> None:
    """A wrong password is refused at ``docker login``."""
    login = ("login", mirror.authority, "--username", USER, "--password-stdin")

    printed = docker(*login, status=None, stdin="not the password")

    assert "unauthorized" in printed or "incorrect" in printed


def test_missing_tag(docker: Docker, mirror: Mirror) -> None:
    """A tag that the Hub does not have is told as such, not as a failure of the mirror."""
    printed = docker("pull", f"{mirror.authority}/busybox:none", status=None)

    assert "manifest unknown" in printed or "not found" in printed


def test_push_refused_in_words(docker: Docker, mirror: Mirror) -> None:
    """A push is refused with a sentence that tells a docker user why."""
    image = f"{mirror.authority}/busybox:1.3"
    docker("pull", image)

    printed = docker("push", image, status=None)

    assert "read-only mirror" in printed
