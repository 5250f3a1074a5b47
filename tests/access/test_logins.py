"""Tests of logging in: on ``/v2/`` by passwords and passes, through the whole mirror."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from hubmirror.access.files import write_private
from hubmirror.access.passes import LEEWAY, LIFE
from hubmirror.access.robots import Robot, Robots, new_token, written_robots
from hubmirror.access.users import hashed, with_user
from hubmirror.config import Upstream
from tests.access.mirrors import ACCEPT, BUSYBOX, mirror_of
from tests.mirror.hub import Hub
from tests.registry.edge import Wire

PASSWORD = "correct horse"
APP = "/v2/team/app/manifests/latest"
HASH = hashed(PASSWORD.encode(), 4)


class Desk:
    """A mirror that wants to know who pulls, and its operator's files."""

    def __init__(self, folder: Path, login: str = "required", rules: str = "", **more: Any) -> None:
        self.users = folder / "users"
        self.robots = folder / "data" / "access" / "robots"
        write_private(self.users, b"alice:%b\n" % HASH)
        text = f'[access]\nlogin = "{login}"\nusers = "users"\n{rules}'
        self.hub: Hub = mirror_of(folder, text, **more)

    def get(self, path: str, *headers: str) -> Wire:
        return self.hub.get(path, *headers, ACCEPT)

    def token(self, *headers: str, name: str = "library/busybox") -> str:
        """The line with a pass for a repository."""
        query = urlencode({"service": "hubmirror", "scope": f"repository:{name}:pull"})
        wire = self.hub.get(f"/token?{query}", *headers)
        assert wire.status() == 200, wire.value()
        return f"Authorization: Bearer {json.loads(wire.body())['token']}"

    def later(self, seconds: float) -> None:
        self.hub.edge.clock.advance(seconds)


def basic(user: str, password: str = PASSWORD) -> str:
    return f"Authorization: Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_who_is_not_known_is_sent_to_our_own_token_server(desk: Desk) -> None:
    """From ``/v2/``, and from content with the scope that it takes; nothing is spent by that."""
    own = 'Bearer realm="http://mirror.example:5000/token",service="hubmirror"'
    assert f"{own}\r\n" in desk.get("/v2/").head() + "\r\n"
    wire = desk.get(BUSYBOX)
    assert wire.status() == 401
    assert f'{own},scope="repository:library/busybox:pull"' in wire.head()
    assert desk.hub.asked() == []
    assert desk.hub.edge.quota.day().used == 0


def test_a_pull(desk: Desk) -> None:
    """By a pass, and by the password itself; none of them goes upstream."""
    token = desk.token(basic("alice"))
    assert desk.get("/v2/", token).status() == 200
    assert desk.get(BUSYBOX, token).status() == 200
    assert desk.get(BUSYBOX, basic("alice")).status() == 200
    shown = [
        headers.get("authorization", [""])[0]
        for _, _, headers, _ in desk.hub.edge.upstream.requests
    ]
    assert not any(b64encode(b"alice:").decode()[:6] in one for one in shown)
    assert token.partition("Bearer ")[2] not in "".join(shown)


def test_a_pass_opens_what_it_lists(desk: Desk) -> None:
    """For another repository there has to be another, and the challenge says so."""
    wire = desk.get(APP, desk.token(basic("alice")))
    assert wire.status() == 401
    assert 'scope="repository:team/app:pull",error="insufficient_scope"' in wire.head()


@pytest.mark.parametrize("path", ["/v2/", BUSYBOX, "/token"])
@pytest.mark.parametrize(
    "line", [basic("alice", "wrong"), basic("mallory"), "Authorization: Basic !", basic("")]
)
def test_a_wrong_password(desk: Desk, path: str, line: str) -> None:
    """Nothing tells whether there is such a user."""
    wire = desk.get(path, line)
    assert (wire.status(), wire.error()["message"]) == (401, "incorrect username or password")
    assert 'WWW-Authenticate: Basic realm="hubmirror"' in wire.head()


@pytest.mark.parametrize("line", ["Authorization: Bearer x", "Authorization: Bearer a.b.c"])
def test_a_token_of_others(desk: Desk, line: str) -> None:
    """It never goes upstream."""
    wire = desk.get(BUSYBOX, line)
    assert wire.status() == 401
    assert 'error="invalid_token"' in wire.head()
    assert desk.hub.asked() == []


def test_a_pass_ends(desk: Desk) -> None:
    token = desk.token(basic("alice"))
    desk.later(LIFE + LEEWAY)
    assert desk.get(BUSYBOX, token).status() == 401


def test_who_is_removed_is_out(desk: Desk) -> None:
    """With the passes that it has."""
    token = desk.token(basic("alice"))
    write_private(desk.users, b"bob:%b\n" % HASH)
    desk.later(2)
    assert desk.get(BUSYBOX, token).status() == 401
    assert desk.get(BUSYBOX, basic("alice")).status() == 401
    assert desk.get(BUSYBOX, basic("bob")).status() == 200


def test_guessing_is_slowed_down(desk: Desk) -> None:
    """What is refused so spends nothing; who has logged in goes on."""
    token = desk.token(basic("alice"))
    guesses = [basic("alice", str(number)) for number in range(6)]
    assert [desk.get("/v2/", guess).status() for guess in guesses] == [401] * 6
    used = desk.hub.edge.quota.day().used
    for path in ("/v2/", "/token"):
        wire = desk.get(path, basic("alice", "y"))
        assert wire.status() == 429
        assert "Retry-After: 1" in wire.head()
    assert desk.hub.edge.quota.day().used == used
    assert desk.get(BUSYBOX, token).status() == 200
    assert desk.get("/v2/", basic("alice")).status() == 200


def robot(desk: Desk, repositories: str, expires: float | None = None) -> str:
    """A robot ``ci``; the line that shows its token."""
    token, digest = new_token()
    one = Robot("ci", digest, (repositories,), 0.0, expires)
    write_private(desk.robots, written_robots(Robots((one,))))
    return basic("robot$ci", token)


def test_a_robot(desk: Desk) -> None:
    """It has what its patterns and the rules give it."""
    line = robot(desk, "docker.io/library/*")
    assert desk.get(BUSYBOX, line).status() == 200
    assert desk.get(BUSYBOX, desk.token(line)).status() == 200
    for shown in (line, desk.token(line, name="team/app")):
        assert desk.get(APP, shown).error()["code"] == "DENIED"


def test_a_robots_end(desk: Desk) -> None:
    """Its passes end with it; a wrong token is a wrong password."""
    now = desk.hub.edge.now()
    line = robot(desk, "**", now + 100)
    token = desk.token(line)
    desk.later(101)
    assert desk.get(BUSYBOX, line).status() == 401
    assert desk.get(BUSYBOX, token).status() == 401
    again = robot(desk, "**")
    desk.later(2)
    assert desk.get(BUSYBOX, again).status() == 200
    assert desk.get(BUSYBOX, basic("robot$ci", "x")).status() == 401
    assert desk.get(BUSYBOX, token).status() == 200  # the robot's name is its user


RULES = """
[[access.rule]]
action = "allow"
repositories = ["docker.io/library/*"]
[[access.rule]]
action = "allow"
users = ["alice"]
[[access.rule]]
action = "deny"
"""


def test_where_nobody_has_to_log_in_rules_let_some_have_more(tmp_path: Path) -> None:
    """``/v2/`` asks all the same: docker logs in by that."""
    desk = Desk(tmp_path, "optional", RULES)
    assert desk.get("/v2/").status() == 401
    nobody = desk.token()
    assert desk.get("/v2/", nobody).status() == 200
    assert desk.get(BUSYBOX, nobody).status() == 200
    assert desk.get(BUSYBOX).status() == 200
    assert desk.get(APP, nobody).status() == 401
    assert desk.get(APP, desk.token(name="team/app")).status() == 401
    assert desk.get(APP, desk.token(basic("alice"), name="team/app")).status() == 200


def test_a_user_whom_the_rules_deny(tmp_path: Path) -> None:
    """It is no use to log in again."""
    desk = Desk(tmp_path, rules=RULES)
    write_private(desk.users, with_user(desk.users.read_bytes(), "bob", HASH))
    for line in (basic("bob"), desk.token(basic("bob"), name="team/app")):
        wire = desk.get(APP, line)
        assert (wire.status(), wire.error()["code"]) == (403, "DENIED")


def test_a_user_of_ours_is_the_quotas_user(tmp_path: Path) -> None:
    """Each request by a pass counts for it."""
    from hubmirror.quota.accounts import Dimension

    desk = Desk(tmp_path)
    token = desk.token(basic("alice"))
    desk.get(BUSYBOX, token)
    (entry,) = desk.hub.edge.quota.top(Dimension.USER, 5)
    assert entry.name == "alice"


def test_no_registry_gets_a_login_of_ours(tmp_path: Path) -> None:
    """Whatever is configured for it: passwords, passes and robots' tokens stay here."""
    registry = Upstream("ghcr.io", "https://ghcr.example", settings={"auth": "passthrough"})
    desk = Desk(tmp_path, upstreams=(registry,))
    path = "/v2/ghcr.io/owner/app/manifests/latest"
    line = robot(desk, "**")
    shown = [basic("alice"), line, desk.token(basic("alice"), name="ghcr.io/owner/app")]
    for one in shown:
        desk.get(path, one)
    sent = [str(headers) for _, _, headers, _ in desk.hub.edge.upstream.requests]
    assert sent
    assert not [one for one in shown if one.split()[-1] in "".join(sent)]
