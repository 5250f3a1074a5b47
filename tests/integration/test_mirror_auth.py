"""``--auth mirror``: the mirror pulls with an account of its own, and its clients need none."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from hubmirror.demo.hub import HubSettings
from hubmirror.demo.image import Image, build_image, hello_layer, random_layer
from tests.integration.live_hub import PASSWORDS, LiveHub, live_hub
from tests.integration.pulling import ACCEPT, login, pull, together
from tests.support.mirror import Mirror, MirrorStarter, Reply
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration

HTTP = ("--http", "127.0.0.1:0")
OPEN, SECRET = "library/open", "team/secret"
TAG = "1.0"
MANIFEST = f"/v2/{SECRET}/manifests/{TAG}"


@pytest.fixture
def hub() -> Iterator[LiveHub]:
    """A Hub with a public repository and one of alice's, whose tokens are short-lived."""
    with live_hub({SECRET: frozenset({"alice"})}, HubSettings(token_lifetime=2)) as hub:
        hub.store.add_image(OPEN, TAG, build_image({"amd64": [hello_layer("amd64")]}))
        yield hub


@pytest.fixture
def image(hub: LiveHub, tmp_path: Path) -> Image:
    """The image that the Hub has in ``SECRET``."""
    image = build_image({"amd64": [random_layer(tmp_path / "layer", 1 << 20)]})
    hub.store.add_image(SECRET, TAG, image)
    return image


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    """A file with alice's password."""
    file = tmp_path / "login"
    write_login(file, PASSWORDS["alice"])
    return file


def write_login(file: Path, password: str) -> None:
    """Let ``file`` say that alice's password is ``password``."""
    file.touch(mode=0o600)
    file.write_text(f"alice:{password}\n")


def account(credentials: Path) -> tuple[str | Path, ...]:
    """The options of a mirror with an account."""
    return ("--auth", "mirror", "--upstream-credentials", credentials)


def ask(mirror: Mirror) -> Reply:
    """What who shows nothing gets for the private image."""
    return mirror.ask(MANIFEST, ACCEPT)


def test_clients_need_no_credentials(
    start: MirrorStarter, hub: LiveHub, image: Image, credentials: Path
) -> None:
    """Public and private images go to whoever asks; in an outage, too, and after a restart."""
    mirror = start("serve", *HTTP, *hub.upstream, *account(credentials))

    assert mirror.ask("/v2/").status == 200
    assert pull(mirror, SECRET, TAG, {}) == str(image.index.digest)
    assert pull(mirror, SECRET, TAG, login(mirror, SECRET)) == str(image.index.digest)
    pull(mirror, OPEN, TAG, {})
    mirror.program.stop()
    hub.vanish()
    mirror = start("serve", *HTTP, *hub.upstream, *account(credentials))

    assert mirror.ask("/v2/").status == 200
    assert pull(mirror, SECRET, TAG, {}) == str(image.index.digest)
    assert PASSWORDS["alice"] not in mirror.program.text()


def test_tokens_are_renewed(
    start: MirrorStarter, hub: LiveHub, image: Image, credentials: Path
) -> None:
    """The account's tokens live for two seconds: nobody notices, and few are asked for."""
    always_asked = ("--tag-ttl", "0", "--stale-while-revalidate", "0")
    mirror = start("serve", *HTTP, *hub.upstream, *account(credentials), *always_asked)
    statuses: set[int] = set()

    def is_renewed() -> bool:
        statuses.add(ask(mirror).status)
        return hub.asked("tokens").total() >= 5

    wait_until(is_renewed, "five tokens")

    assert statuses == {200}
    assert hub.asked("registry")["HEAD", MANIFEST, 200] > 20


def test_wrong_password(
    start: MirrorStarter, hub: LiveHub, image: Image, credentials: Path
) -> None:
    """It is tried a few times however many ask, told at start, and right once it is mended."""
    write_login(credentials, "wrong")
    mirror = start("serve", *HTTP, *hub.upstream, *account(credentials))
    mirror.program.wait_for_line("error .*refuses the mirror's own login")

    answers = [
        answer for _ in range(5) for answer in together([lambda: ask(mirror) for _ in range(16)])
    ]

    assert {answer.status for answer in answers} == {502}
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers)
    assert hub.asked("tokens").total() <= 4
    assert b"login" in answers[-1].body
    assert b"wrong" not in answers[-1].body
    assert standing(mirror) is False
    assert "alice" not in mirror.program.text()

    write_login(credentials, PASSWORDS["alice"])
    mirror.program.signal(signal.SIGHUP)
    mirror.program.wait_for_line("in force")
    assert pull(mirror, SECRET, TAG, {}) == str(image.index.digest)
    assert standing(mirror) is True


def standing(mirror: Mirror) -> bool | None:
    """Whether the account's login is right, as ``/quota`` tells it."""
    is_right: bool | None = json.loads(mirror.ask("/quota").body)["login"]["ok"]
    return is_right


def test_anonymous(start: MirrorStarter, hub: LiveHub, image: Image) -> None:
    """Without an account the mirror pulls what is public, for clients without tokens."""
    mirror = start("serve", *HTTP, *hub.upstream, "--auth", "mirror")

    pull(mirror, OPEN, TAG, {})

    refused = ask(mirror)
    assert refused.status in (401, 404)
    assert str(image.index.digest).encode() not in refused.body


def test_what_an_account_has_opened_is_not_public(
    start: MirrorStarter, hub: LiveHub, image: Image, credentials: Path
) -> None:
    """Private images that the account has pulled stay private once clients' own tokens count."""
    always_asked = ("--tag-ttl", "0", "--stale-while-revalidate", "0")
    mirror = start("serve", *HTTP, *hub.upstream, *account(credentials), *always_asked)
    for _ in range(2):
        assert pull(mirror, SECRET, TAG, {}) == str(image.index.digest)
    mirror.program.stop()

    mirror = start("serve", *HTTP, *hub.upstream)

    assert ask(mirror).status == 401
    assert mirror.ask(MANIFEST, {**ACCEPT, **login(mirror, SECRET)}).status == 401
    assert pull(mirror, SECRET, TAG, login(mirror, SECRET, "alice")) == str(image.index.digest)
    assert ask(mirror).status == 401
