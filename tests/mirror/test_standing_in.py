"""Others stand in for a registry that is down."""

from __future__ import annotations

import json

import pytest

from tests.mirror.world import BODY, World, told

PATH = "/v2/quay.io/owner/app/manifests/1"


@pytest.fixture
def world() -> World:
    """Docker Hub is registry.example here."""
    return World()


@pytest.mark.parametrize("down", [{"quay.io"}, {"quay.io", "one.example"}])
def test_in_their_order(world: World, down: set[str]) -> None:
    """The first that answers; what a client shows is not for them."""
    world.down = down
    wire = world.get(PATH, "Authorization: Bearer of-quay.io")
    assert (wire.status(), wire.body()) == (200, BODY)
    shown = {host: credential for host, _, credential in world.asked if host not in down}
    expected = "two.example" if "one.example" in down else "one.example"
    assert shown == {expected: f"Bearer of-{expected}"}


def test_not_while_the_first_answers(world: World) -> None:
    """Not even where it refuses."""
    assert world.get(PATH, "Authorization: Bearer wrong").status() == 401
    assert set(world.hosts()) == {"quay.io"}


def test_all_are_down(world: World) -> None:
    """The first one's failure is told."""
    world.down = {"quay.io", "one.example", "two.example"}
    assert world.get(PATH, "Authorization: Bearer of-quay.io").status() == 503


def test_the_door_is_open(world: World) -> None:
    """An empty mirror lets clients in, too: there is somebody to ask."""
    world.down = {"quay.io"}
    wire = world.get("/v2/?ns=quay.io")
    assert 'realm="http://mirror.example/token/quay.io"' in told(wire, "WWW-Authenticate")
    token = json.loads(world.get("/token/quay.io?scope=repository:owner/app:pull").body())
    wire = world.get(PATH, f"Authorization: Bearer {token['token']}")
    assert (wire.status(), wire.body()) == (200, BODY)
