"""Tests of what narrows the rights of who asks."""

from __future__ import annotations

from hubmirror.access.identities import NOBODY, Identity
from hubmirror.access.names import Names
from hubmirror.access.patterns import Patterns
from hubmirror.naming import Repository

NAMES = Names("docker.io", library_prefix=True)
BUSYBOX = Repository("docker.io", "library/busybox")


def test_without_a_token_nothing_narrows_them() -> None:
    assert NOBODY.lists(BUSYBOX, NAMES)
    assert NOBODY.may_have(BUSYBOX)
    assert not NOBODY.has_token


def test_a_token_opens_what_it_lists() -> None:
    """By the name that clients use."""
    assert Identity("alice", frozenset({"library/busybox"})).lists(BUSYBOX, NAMES)
    assert not Identity("alice", frozenset({"team/app"})).lists(BUSYBOX, NAMES)


def test_a_robots_limits_hold_beside() -> None:
    robot = Identity("robot$ci", None, Patterns(["docker.io/team/*"]))
    assert not robot.may_have(BUSYBOX)
    assert robot.may_have(Repository("docker.io", "team/app"))
