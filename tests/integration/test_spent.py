"""The day's requests are spent: what is kept is pulled on by real clients, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hubmirror.demo.image import hello_image
from tests.integration.clients import CLIENTS, Visitor
from tests.integration.live_hub import LiveHub, live_hub
from tests.integration.outage import REPOSITORY, TAG, wait_until_public
from tests.integration.pulling import ACCEPT, login, pull
from tests.support.docker import running_dockerd
from tests.support.mirror import Mirror, MirrorStarter
from tests.support.programs import run

pytestmark = pytest.mark.integration

#: The day's requests: more than it takes to pull an image by any client.
QUOTA = 60
OTHER = "1.1"
DIGEST = str(hello_image().index.digest)
#: A tag is old at once, and only the upstream could tell that a repository is still public.
OLD = ("--tag-ttl", "0s", "--stale-while-revalidate", "0s", "--public-ttl", "0s")

Spent = Callable[[str], Mirror]


@pytest.fixture
def hub() -> Iterator[LiveHub]:
    """A Hub with two tags of a public image."""
    with live_hub() as hub:
        for tag in (TAG, OTHER):
            hub.store.add_image(REPOSITORY, tag, hello_image())
        yield hub


@pytest.fixture
def spent(hub: LiveHub, start: MirrorStarter, tmp_path: Path) -> Spent:
    """Start a mirror by what happens ``on_exhausted``; one tag is kept, and the day is spent."""

    def start_spent(on_exhausted: str) -> Mirror:
        limits = ("--quota", str(QUOTA), "--quota-minute", "0", "--on-exhausted", on_exhausted)
        mirror = start("serve", "--http", "127.0.0.1:0", *OLD, *limits, *hub.upstream)
        assert pull(mirror, REPOSITORY, TAG, login(mirror, REPOSITORY)) == DIGEST
        wait_until_public(tmp_path / "mirror", REPOSITORY)
        for _ in range(QUOTA):
            mirror.ask(f"/v2/{REPOSITORY}/manifests/none")
        return mirror

    return start_spent


def upstream_requests(hub: LiveHub) -> int:
    """How many have come there so far."""
    return sum(sum(hub.asked(host).values()) for host in ("registry", "tokens", "blobs"))


@pytest.mark.parametrize("is_logged_in", [False, True], ids=["stranger", "logged-in"])
@pytest.mark.parametrize("client", CLIENTS)
def test_kept_is_pulled_on(
    spent: Spent, hub: LiveHub, tmp_path: Path, client: str, is_logged_in: bool
) -> None:
    """By every client, from nothing; the Hub is not asked for any of it."""
    mirror = spent("cache-only")
    before = upstream_requests(hub)

    CLIENTS[client](Visitor(mirror, tmp_path, is_logged_in), f":{TAG}")

    assert upstream_requests(hub) == before
    assert "Traceback" not in mirror.program.text()


def test_others_are_refused(spent: Spent, hub: LiveHub, tmp_path: Path) -> None:
    """A docker user reads why, and until when; what was pulled before comes again."""
    mirror = spent("cache-only")
    kept, other = (f"{mirror.authority}/busybox:{tag}" for tag in (TAG, OTHER))
    before = upstream_requests(hub)
    with running_dockerd(tmp_path, [mirror.url]) as docker:
        for _ in range(2):
            docker("pull", kept)
            docker.forget()

        printed = docker("pull", other, status=1)

    assert "toomanyrequests" in printed
    assert f"this mirror's {QUOTA} requests for today are spent" in printed
    assert upstream_requests(hub) == before


def test_refuse_refuses_all(spent: Spent, tmp_path: Path) -> None:
    """Whoever asks, at the door already: docker passes on why."""
    mirror = spent("refuse")
    with running_dockerd(tmp_path, [mirror.url]) as docker:
        printed = docker("pull", f"{mirror.authority}/busybox:{TAG}", status=1)

    assert "requests for today are spent" in printed or "toomanyrequests" in printed
    assert mirror.ask("/v2/").status == 429


def test_count_refuses_nothing(spent: Spent, tmp_path: Path) -> None:
    """Both are pulled, and counted."""
    mirror = spent("count")
    for number, tag in enumerate((TAG, OTHER)):
        source = f"docker://{mirror.authority}/{REPOSITORY}:{tag}"
        run("skopeo", "copy", "--src-tls-verify=false", source, f"dir:{tmp_path}/copy{number}")


def test_a_restart_gives_no_requests_back(spent: Spent, hub: LiveHub, start: MirrorStarter) -> None:
    """What is spent is spent, and what is kept is kept."""
    mirror = spent("cache-only")
    mirror.program.stop()
    limits = ("--quota", str(QUOTA), "--quota-minute", "0")
    mirror = start("serve", "--http", "127.0.0.1:0", *OLD, *limits, *hub.upstream)

    assert pull(mirror, REPOSITORY, TAG, login(mirror, REPOSITORY)) == DIGEST
    refused = mirror.ask(f"/v2/{REPOSITORY}/manifests/{OTHER}", ACCEPT)
    assert refused.status == 429
    assert int(refused.headers["Retry-After"]) <= 86400
