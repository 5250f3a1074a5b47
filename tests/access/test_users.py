"""Tests of the users' file, and of their passwords."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.access.users import (
    MAX_PASSWORD,
    Users,
    check_password,
    check_user,
    hashed,
    is_right,
    parse_users,
    with_user,
    without_user,
)

HASH = hashed(b"correct horse", 4)
#: As ``htpasswd -nbB -C 5 bob builder-builder`` of Apache writes it.
APACHE = b"$2y$05$" + hashed(b"x", 5)[7:]


def test_a_file_of_htpasswd() -> None:
    """Comments, empty lines, and what nginx lets stand behind; others are no users."""
    data = b"# ours\n\nalice:%b\nbob:%b:his comment\ncarol:$apr1$x$y\n" % (HASH, APACHE)
    users = parse_users(data)
    assert set(users.hashes) == {"alice", "bob"}
    assert users.unusable == ("carol",)
    assert HASH.decode() not in repr(users)


def test_what_apache_hashed_is_right() -> None:
    assert is_right(b"x", APACHE)


def test_what_is_no_line() -> None:
    with pytest.raises(ValueError, match="line 2"):
        parse_users(b"alice:%b\nnonsense\n" % HASH)


def test_a_robots_name_is_no_users() -> None:
    """Nor is one with a cost that would keep the mirror busy."""
    dear = HASH.replace(b"$04$", b"$31$")
    assert parse_users(b"robot$x:%b\nbob:%b\n" % (HASH, dear)).hashes == {}


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        (b"correct horse", True),
        (b"correct horse ", False),
        (b"", False),
        (b"correct horse\0", False),
        (b"x" * 500, False),
        (b"\xff", False),
    ],
)
def test_passwords(password: bytes, expected: bool) -> None:
    assert is_right(password, HASH) == expected


def test_no_password_is_longer_than_what_is_looked_at() -> None:
    """Else all that begin alike would be right."""
    longest = b"x" * MAX_PASSWORD
    hash_ = hashed(longest, 4)
    assert is_right(longest, hash_)
    assert not is_right(longest + b"y", hash_)


def test_an_unknown_user_has_a_hash_that_takes_as_long() -> None:
    """And that nothing is right for."""
    hash_ = Users({"alice": HASH}).hash_of("mallory")
    assert hash_.startswith(b"$2b$04$")
    assert not is_right(b"", hash_)
    assert Users().hash_of("mallory").startswith(b"$2b$12$")


def test_unknown_users_are_like_those_there_are() -> None:
    """Where hashes have several costs, names that nobody has take either time, each always one."""
    users = Users({"alice": HASH, "bob": APACHE})
    costs = {f"user-{number}": users.hash_of(f"user-{number}")[4:6] for number in range(64)}
    assert set(costs.values()) == {b"04", b"05"}
    assert all(users.hash_of(name)[4:6] == cost for name, cost in costs.items())


NAMES = st.from_regex(r"[a-z][a-z0-9_.@+-]{0,10}", fullmatch=True)


@given(st.lists(NAMES, max_size=5), NAMES)
def test_editing_leaves_the_others_as_they_are(names: list[str], user: str) -> None:
    """Whatever stood there."""
    data = b"# a comment\n" + b"".join(b"%b:%b\n" % (one.encode(), HASH) for one in names)
    added = with_user(data, user, APACHE)
    assert parse_users(added).hashes == {**dict.fromkeys(names, HASH), user: APACHE}
    removed = without_user(added, user)
    assert set(parse_users(removed).hashes) == {*names} - {user}
    assert removed.startswith(b"# a comment\n")


@pytest.mark.parametrize("name", ["", "a:b", "robot$x", "a b", "-a", "a" * 65, "ä"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="a user's name"):
        check_user(name)


@pytest.mark.parametrize("password", ["", "short", "x" * (MAX_PASSWORD + 1), "tab\tin between"])
def test_what_is_no_password(password: str) -> None:
    """It is not quoted."""
    with pytest.raises(ValueError, match="a password has") as caught:
        check_password(password)
    assert not password or password not in str(caught.value)
