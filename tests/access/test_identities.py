"""Tests of what narrows the rights of who asks."""

from __future__ import annotations

from hubmirror.access.identities import NOBODY, Identity
from hubmirror.access.names import Names
from hubmirror.access.patterns import Patterns
from hubmirror.naming import Repository

NAMES = Names("docker.io", library_prefix=True)
BUSYBOX = Repository("docker.io", "library/busybox")


def test_without_a_token_nothing_narrows_them() -> None:
    assert NOBODY.opens(BUSYBOX, NAMES)
    assert not NOBODY.has_token


def test_a_token_opens_what_it_lists() -> None:
    """By the name that clients use."""
    assert Identity("alice", frozenset({"library/busybox"})).opens(BUSYBOX, NAMES)
    assert not Identity("alice", frozenset({"team/app"})).opens(BUSYBOX, NAMES)


def test_a_robots_limits_hold_beside() -> None:
    """A token that lists more does not open more."""
    limits = Patterns(["docker.io/team/*"])
    assert not Identity("robot$ci", None, limits).opens(BUSYBOX, NAMES)
    scopes = frozenset({"library/busybox", "team/app"})
    robot = Identity("robot$ci", scopes, limits)
    assert not robot.opens(BUSYBOX, NAMES)
    assert robot.opens(Repository("docker.io", "team/app"), NAMES)
