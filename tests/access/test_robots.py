"""Tests of robots and their tokens."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.access.robots import (
    Robot,
    Robots,
    check_robot,
    new_token,
    parse_robots,
    written_robots,
)

DIGEST = "0" * 64
ROBOTS = st.builds(
    Robot,
    st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True),
    st.just(DIGEST),
    st.just(("docker.io/**",)),
    st.integers(0, 2**32).map(float),
    st.none() | st.integers(0, 2**32).map(float),
    st.booleans(),
)


@given(st.lists(ROBOTS, max_size=4))
def test_what_is_written_is_read(robots: list[Robot]) -> None:
    assert parse_robots(written_robots(Robots(tuple(robots)))) == Robots(tuple(robots))


@pytest.mark.parametrize(
    "data",
    [
        *(b"x", b"[]", b'{"robots": 1}', b'{"robots": [1]}', b'{"robots": [{}]}', b"[" * 10**5),
        *(
            json.dumps({"robots": [{"name": one, "digest": digest, "repositories": some}]}).encode()
            for one, digest, some in (("A", DIGEST, []), ("a", "x", []), ("a", DIGEST, [1]))
        ),
        # Numbers that no time is.
        *(
            b'{"robots": [{"name": "a", "digest": "%b", "repositories": ["**"], "revoked": false, '
            b'"created": %b, "expires": %b}]}' % (DIGEST.encode(), created, expires)
            for created, expires in ((b"9" * 400, b"1"), (b"1", b"Infinity"), (b"NaN", b"null"))
        ),
    ],
)
def test_what_is_no_file_of_robots(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a file of robots"):
        parse_robots(data)


def test_an_empty_file_has_none() -> None:
    assert parse_robots(b"\n") == Robots()


def test_a_token_is_known_by_its_hash() -> None:
    """Nothing of it is in what is kept, nor in what is shown."""
    token, digest = new_token()
    robot = Robot("ci", digest, ("**",), 0.0)
    assert robot.has_token(token.encode())
    assert not robot.has_token(token.encode() + b"x")
    assert token not in written_robots(Robots((robot,))).decode()
    assert digest not in repr(robot)
    assert new_token()[0] != token


def test_how_long_it_lives() -> None:
    """To its end, or until it is revoked."""
    robot = Robot("ci", DIGEST, ("**",), 0.0, 10.0)
    assert robot.is_alive(9.9)
    assert not robot.is_alive(10.0)
    robots = Robots((robot,))
    assert robots.find("robot$ci") == robot
    assert robots.find("ci") is None
    revoked = robots.revoked("ci").find("robot$ci")
    assert revoked is not None
    assert not revoked.is_alive(1.0)
    assert robots.revoked("other") == robots
    again = Robot("ci", DIGEST, ("**",), 5.0)
    assert robots.revoked("ci").with_robot(again).all == (again,)


def test_names() -> None:
    """With ``robot$`` or without."""
    assert check_robot("robot$ci-1") == check_robot("ci-1") == "ci-1"
    for name in ("", "A", "a b", "-a", "a" * 64):
        with pytest.raises(ValueError, match="a robot's name"):
            check_robot(name)
