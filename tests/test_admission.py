"""Tests of who may use the mirror, from a configuration."""

from __future__ import annotations

from hubmirror.access.gate import OpenAccess
from hubmirror.access.names import Names
from hubmirror.admission import compose_access
from hubmirror.config import load

NAMES = Names("docker.io", library_prefix=True)


def test_where_nothing_is_set_nothing_is_asked() -> None:
    """So that it costs nothing."""
    assert isinstance(compose_access(load({}, {}).config, NAMES), OpenAccess)
    some = load({"access_allow": "10.0.0.0/8"}, {}).config
    assert not isinstance(compose_access(some, NAMES), OpenAccess)
