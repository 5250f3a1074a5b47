"""Tests of what narrows the rights of who asks."""

from __future__ import annotations

from hubmirror.access.identities import NOBODY, Identity
from hubmirror.access.patterns import Patterns
from hubmirror.naming import Repository

BUSYBOX = Repository("docker.io", "library/busybox")


def test_without_a_token_nothing_narrows_them() -> None:
    assert NOBODY.lists(BUSYBOX)
    assert NOBODY.may_have(BUSYBOX)
    assert not NOBODY.has_token


def test_a_token_opens_what_it_lists() -> None:
    assert Identity("alice", frozenset({"docker.io/library/busybox"})).lists(BUSYBOX)
    assert not Identity("alice", frozenset({"docker.io/team/app"})).lists(BUSYBOX)


def test_a_robots_limits_hold_beside() -> None:
    robot = Identity("robot$ci", None, Patterns(["docker.io/team/*"]))
    assert not robot.may_have(BUSYBOX)
    assert robot.may_have(Repository("docker.io", "team/app"))
