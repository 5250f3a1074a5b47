"""Who may use the mirror, seen by real clients: networks, users, robots, rules, certificates."""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hubmirror.demo.image import build_image, hello_layer
from tests.certificates.making import make
from tests.integration.conftest import Way
from tests.integration.live_hub import LiveHub, live_hub
from tests.integration.pulling import ACCEPT
from tests.support.docker import running_dockerd
from tests.support.mirror import Mirror, MirrorStarter
from tests.support.programs import run
from tests.support.quota import told
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration
EACH_WAY = True

HTTP = ("--http", "127.0.0.1:0")
TAG = "1.0"
OPEN, TEAM, EVIL = "library/open", "team/app", "team/evil"
PASSWORD = "correct horse battery"
RULES = """
[access]
login = "required"
deny = "127.0.0.2"
[[access.rule]]
action = "block"
repositories = ["*/team/evil"]
message = "ask the platform team"
[[access.rule]]
action = "deny"
users = ["bob/100%"]
"""


@pytest.fixture(scope="module")
def hub() -> Iterator[LiveHub]:
    """A Hub with three public repositories of one image each."""
    with live_hub() as hub:
        for name in (OPEN, TEAM, EVIL):
            hub.store.add_image(name, TAG, build_image({"amd64": [hello_layer("amd64")]}))
        yield hub


class Operated:
    """A mirror, and the commands of its operator."""

    def __init__(self, mirror: Mirror, config: Path, data: Path) -> None:
        self.mirror = mirror
        self._folder = data.parent / "copy"
        self._where = ("--config", config, "--data", data)

    def hubmirror(self, *arguments: str, stdin: str = "", status: int = 0) -> str:
        """Run ``hubmirror``; what it prints."""
        command = ("-m", "hubmirror", *arguments)
        return run(sys.executable, *command, *self._where, stdin=stdin, status=status)

    def add(self, user: str, password: str = PASSWORD) -> None:
        """A user who may log in from now on."""
        self.hubmirror("user", "add", user, stdin=f"{password}\n")

    def may_log_in(self, user: str, password: str) -> bool:
        """Whether this opens ``/v2/``."""
        return self.mirror.ask("/v2/", basic(user, password)).status == 200

    def copy(self, name: str, *creds: str, status: int = 0) -> str:
        """Have skopeo copy an image; what it prints."""
        source = f"docker://{self.mirror.authority}/{name}:{TAG}"
        login = ("--src-creds", ":".join(creds)) if creds else ("--src-no-creds",)
        return run(
            *("skopeo", "copy", "--src-tls-verify=false", *login, source),
            *(f"dir:{self._folder}", "--override-arch", "amd64"),
            status=status,
        )


def begin(start: MirrorStarter, hub: LiveHub, tmp_path: Path, text: str) -> Operated:
    """A mirror whose configuration file holds ``text``."""
    config = tmp_path / "hubmirror.toml"
    config.write_text(f"quota_minute = 0\n{text}")
    mirror = start("serve", *HTTP, "--config", config, *hub.upstream)
    return Operated(mirror, config, tmp_path / "mirror" / "data")


def basic(user: str, password: str) -> dict[str, str]:
    """The header by which ``user`` shows a password."""
    return {"Authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}


def get_token(mirror: Mirror, name: str, headers: dict[str, str]) -> dict[str, str]:
    """The header with the mirror's own token for a repository."""
    query = urlencode({"service": "hubmirror", "scope": f"repository:{name}:pull"})
    granted = mirror.ask(f"/token?{query}", headers)
    assert granted.status == 200, granted
    return {"Authorization": f"Bearer {json.loads(granted.body)['token']}"}


def pulled(mirror: Mirror, name: str, headers: dict[str, str]) -> int:
    """The status of a tag's manifest."""
    return mirror.ask(f"/v2/{name}/manifests/{TAG}", {**ACCEPT, **headers}).status


def accept() -> str:
    """As curl takes it."""
    return f"Accept: {ACCEPT['Accept']}"


def test_who_may_use_it(start: MirrorStarter, hub: LiveHub, tmp_path: Path, way: Way) -> None:
    """Users, robots, networks, rules and, over TLS, certificates; no secret is told."""
    certificates = make_certificates(tmp_path) if way.is_secure else ""
    operated = begin(start, hub, tmp_path, certificates + RULES)
    secrets = [*check_users(operated), *check_robots(operated, tmp_path)]
    check_networks_and_rules(operated, hub)
    if way.is_secure:
        check_certificates(operated.mirror, tmp_path)
    log = operated.mirror.program.text()
    assert "Traceback" not in log
    assert [secret for secret in secrets if secret in log] == []


def check_users(operated: Operated) -> list[str]:
    """They come and go while the mirror runs, by skopeo and by curl. Returns what is secret."""
    mirror = operated.mirror
    assert "unauthorized" in operated.copy(OPEN, status=1).lower()
    operated.add("alice")
    operated.copy(OPEN, "alice", PASSWORD)
    assert "unauthorized" in operated.copy(OPEN, "alice", "wrong horse", status=1).lower()
    url = f"{mirror.url}/v2/{OPEN}/manifests/{TAG}"
    assert '"schemaVersion"' in run("curl", "-ksu", f"alice:{PASSWORD}", "-H", accept(), url)
    token = get_token(mirror, OPEN, basic("alice", PASSWORD))
    assert [pulled(mirror, OPEN, token) for _ in range(3)] == [200] * 3
    assert pulled(mirror, TEAM, token) == 401
    assert pulled(mirror, OPEN, {}) == 401
    operated.hubmirror("user", "remove", "alice")
    wait_until(lambda: pulled(mirror, OPEN, token) == 401, "her token is gone")
    wait_until(lambda: not operated.may_log_in("alice", PASSWORD), "her password is gone")
    shown = basic("alice", PASSWORD)["Authorization"].partition(" ")[2]
    return [PASSWORD, shown, "wrong horse", token["Authorization"].partition(" ")[2]]


def check_robots(operated: Operated, folder: Path) -> list[str]:
    """A token is for its repositories, until it is revoked; only its hash is kept."""
    mirror = operated.mirror
    printed = operated.hubmirror("token", "create", "ci", "--repositories", "*/team/*", "--json")
    token = json.loads(printed)["token"]
    operated.copy(TEAM, "robot$ci", token)
    operated.copy(OPEN, "robot$ci", token, status=1)
    held = get_token(mirror, TEAM, basic("robot$ci", token))
    assert pulled(mirror, TEAM, held) == 200
    assert pulled(mirror, EVIL, basic("robot$ci", token)) == 403
    operated.hubmirror("token", "revoke", "ci")
    wait_until(lambda: pulled(mirror, TEAM, held) == 401, "the robot is gone")
    for path in (folder / "mirror" / "data" / "access").iterdir():
        assert path.stat().st_mode & 0o077 == 0
        assert token not in path.read_text()
    return [token]


def check_networks_and_rules(operated: Operated, hub: LiveHub) -> None:
    """Whoever asks, and whatever it shows; what is refused spends nothing."""
    mirror = operated.mirror
    operated.add("carol")
    token = get_token(mirror, OPEN, basic("carol", PASSWORD))
    blocked = mirror.ask(f"/v2/{EVIL}/manifests/{TAG}", {**ACCEPT, **token})
    assert (blocked.status, b"ask the platform team" in blocked.body) == (403, True)
    used = told(mirror)["used"]
    for path in ("/v2/", "/token", f"/v2/{OPEN}/manifests/{TAG}"):
        connection = mirror.connect(source=("127.0.0.2", 0))
        connection.request("GET", path, headers={**ACCEPT, **token})
        response = connection.getresponse()
        assert (response.status, b"your network" in response.read()) == (403, True)
        connection.close()
    assert told(mirror)["used"] == used
    assert not [path for _, path, _ in hub.asked("registry") if EVIL in path]


def make_certificates(folder: Path) -> str:
    """Those of alice and bob, and one of another CA; the settings that ask for them."""
    ca = make("our clients", ca=True)
    for name, one in {
        "ca": ca,
        "alice": make("alice smith", issuer=ca),
        "bob": make("bob/100%", issuer=ca),
        "mallory": make("alice"),
    }.items():
        key = one.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / f"{name}.pem").write_bytes(one.pem + key)
    asked = f'client_certificates = "optional"\nclient_ca = "{folder}/ca.pem"\n'
    return f'https = "127.0.0.1:0"\n{asked}'  # for those who know the file alone


def check_certificates(mirror: Mirror, folder: Path) -> None:
    """Who shows one is its user, for workers and for the keeper behind them."""

    def status(shown: str, name: str = OPEN) -> str:
        """As curl sees it; 000 without an answer."""
        url = f"{mirror.url}/v2/{name}/manifests/{TAG}"
        told = ("-H", accept(), "-o", "/dev/null", "-w", "%{http_code}")
        curl = ("sh", "-c", 'curl "$@" || true', "sh", "-sk", "--cert", folder / f"{shown}.pem")
        return run(*curl, *told, url)[-3:]

    assert [status("alice") for _ in range(3)] == ["200"] * 3  # as it is kept, by workers
    assert status("alice", "library/other") == "403"  # by the upstream, as the keeper finds out
    assert (status("bob"), status("mallory")) == ("403", "000")


def test_docker(start: MirrorStarter, hub: LiveHub, tmp_path: Path, way: Way) -> None:
    """What a person sees who logs in and pulls, or may not."""
    if way.is_secure:
        pytest.skip("one dockerd is enough: what it is answered is the same")
    operated = begin(start, hub, tmp_path, RULES)
    operated.add("alice")
    at = operated.mirror.authority
    (tmp_path / "docker").mkdir()
    with running_dockerd(tmp_path / "docker", []) as docker:
        refused = docker("pull", f"{at}/{OPEN}:{TAG}", status=1)
        assert "this mirror wants to know who pulls" in refused
        login = ("login", "-u", "alice", "--password-stdin", at)
        wrong = docker(*login, stdin="wrong horse", status=1)
        assert "incorrect username or password" in wrong
        docker(*login, stdin=PASSWORD)
        docker("pull", f"{at}/{OPEN}:{TAG}")
        blocked = docker("pull", f"{at}/{EVIL}:{TAG}", status=1)
        assert "ask the platform team" in blocked


def test_the_command_takes_no_password_as_an_argument() -> None:
    """It would be in the list of processes."""
    told = run(sys.executable, "-m", "hubmirror", "user", "add", "alice", "secret", status=2)
    assert "unrecognized arguments" in told
