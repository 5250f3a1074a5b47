"""The files of users, robots and keys, and what clients show as their login."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from typing import TypeVar

from hubmirror.access.keyring import parse_keys
from hubmirror.access.logins import login_of
from hubmirror.access.robots import parse_robots, written_robots
from hubmirror.access.users import parse_users, with_user, without_user
from hubmirror.errors import BadRequest
from hubmirror.question import Client, Ping, Question, TokenRequest
from hubmirror.registry.message import parse_parameters
from tests.fuzz.target import Target

T = TypeVar("T")
CLIENT = Client("192.0.2.1", "http://mirror.example")


def run(data: bytes) -> None:
    """Files are right, or raise ``ValueError``, not quoting a hash; logins are some, or none."""
    users = _parsed(parse_users, data)
    if users is not None:
        assert users.hash_of("nobody").startswith(b"$2")
        assert not users.hashes or not any(h.decode() in repr(users) for h in users.hashes.values())
        added = parse_users(with_user(data, "alice", b"$2b$04$" + b"." * 53))
        assert "alice" in added.hashes
        assert "alice" not in parse_users(without_user(data, "alice")).hashes
    robots = _parsed(parse_robots, data)
    if robots is not None:
        assert parse_robots(written_robots(robots)).all == robots.all
        assert not any(robot.is_alive(float("inf")) and robot.expires for robot in robots.all)
    _parsed(parse_keys, data)
    _shown(data)


def _parsed(parse: Callable[[bytes], T], data: bytes) -> T | None:
    try:
        return parse(data)
    except ValueError:
        return None


def _shown(data: bytes) -> None:
    for credential in (data.decode("latin-1"), f"Basic {b64encode(data).decode()}"):
        login = login_of(Question("GET", Ping(), CLIENT, credential=credential))
        assert login is None or login.user
    try:
        parameters = parse_parameters(data)
    except BadRequest:
        return
    login_of(Question("POST", TokenRequest(parameters, is_form=True), CLIENT))


_ROBOT = {
    "name": "ci",
    "digest": "a" * 64,
    "repositories": ["docker.io/library/**"],
    "created": 1.0,
    "expires": 2e9,
    "revoked": False,
}
TARGET = Target(
    run,
    (
        b"# users\nalice:$2y$04$" + b"a" * 53 + b"\nbob:{SHA}x\n",
        json.dumps({"robots": [_ROBOT]}).encode(),
        json.dumps(
            {"keys": [{"id": "0" * 16, "secret": "QUFB" * 10 + "QUE=", "made": 1}]}
        ).encode(),
        b"Basic YWxpY2U6cHc=",
        b"grant_type=password&username=alice&password=pw",
    ),
    (
        *(b"alice:", b"$2y$04$", b"robot$", b'"expires":', b"null", b'"created":', b'"made":'),
        *(b'"repositories":', b'"**"', b'"name":', b"Basic ", b"username=", b"&password=", b"%ff"),
    ),
)
