"""``docker search`` and ``podman search``, with the mirror's name before the term."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest

from hubmirror.demo.image import hello_image
from tests.integration.live_hub import LiveHub, live_hub
from tests.support.docker import Docker, running_dockerd
from tests.support.mirror import Mirror, MirrorStarter
from tests.support.programs import run

pytestmark = pytest.mark.integration


@pytest.fixture
def hub() -> Iterator[LiveHub]:
    """With two public repositories, and a private one."""
    with live_hub({"team/hello-secret": frozenset({"alice"})}) as hub:
        for name in ("library/hello", "team/hello", "team/hello-secret"):
            hub.call(hub.store.add_image, name, "1", hello_image())
        yield hub


@pytest.fixture
def mirror(hub: LiveHub, start: MirrorStarter) -> Mirror:
    """Of two workers; where it searches is the Hub itself."""
    options = (*hub.upstream, "--search-upstream", hub.url, "--workers", "2")
    return start("serve", "--http", "127.0.0.1:0", *options)


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    """A dockerd that knows nothing of the mirror."""
    with running_dockerd(tmp_path_factory.mktemp("docker"), []) as docker:
        yield docker


def test_searches(docker: Docker, mirror: Mirror, hub: LiveHub) -> None:
    """They find what is public, asked for upstream once, and while the Hub is away; by a client

    who is logged in, too.
    """
    login = base64.b64encode(b"alice:wonderland").decode()
    docker.folder.joinpath("login").mkdir(exist_ok=True)
    docker.folder.joinpath("login/config.json").write_text(
        json.dumps({"auths": {mirror.authority: {"auth": login}}})
    )

    printed = docker("search", f"{mirror.authority}/hello")
    found = run("podman", "search", "--tls-verify=false", f"{mirror.authority}/hello")
    hub.vanish()
    again = docker("search", "--filter", "is-official=true", f"{mirror.authority}/hello")

    assert [line.split()[0] for line in printed.splitlines()[1:]] == ["hello", "team/hello"]
    assert [line.split()[0] for line in again.splitlines()[1:]] == ["hello"]
    assert f"{mirror.authority}/team/hello " in found
    assert hub.asked("registry")["GET", "/v1/search", 200] == 1
