"""Tests of passes: what we have signed is known again, and nothing else is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jwt
import pytest
from attrs import define
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from hubmirror.access.keyring import KEY_LIFE, Keyring
from hubmirror.access.passes import LEEWAY, LIFE, MAX_TOKEN, Pass, Passes, UnknownKey

NAMES = ("library/busybox", "team/app")


@define
class Desk:
    """Where passes are issued and read, each time by another ``Passes``."""

    clock: Clock
    path: Path

    def passes(self) -> Passes:
        return Passes(Keyring(self.path, self.clock.seconds, accepted=LIFE + LEEWAY))

    def issue(self, user: str = "alice", **more: Any) -> str:
        granted = self.passes().issue(user, NAMES, self.clock.seconds(), **more)
        return str(granted["token"])

    def read(self, token: str) -> Pass | None:
        return self.passes().read(token, self.clock.seconds())


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    clock = Clock()
    clock.advance(10**9)
    return Desk(clock, tmp_path_factory.mktemp("access") / "keys")


def test_what_is_issued_is_read(desk: Desk) -> None:
    """Also by another process, with the same keys."""
    now = desk.clock.seconds()
    assert desk.read(desk.issue()) == Pass("alice", frozenset(NAMES), now + LIFE)
    assert desk.read(desk.issue("")) == Pass("", frozenset(NAMES), now + LIFE)
    by_certificate = desk.read(desk.issue(by_certificate=True))
    assert by_certificate is not None
    assert by_certificate.by_certificate


def test_the_answer_is_a_token_servers(desk: Desk) -> None:
    granted = desk.passes().issue("alice", NAMES, desk.clock.seconds())
    assert granted["token"] == granted["access_token"]
    assert (granted["expires_in"], granted["issued_at"]) == (LIFE, "2001-09-09T01:46:40Z")


def test_it_ends(desk: Desk) -> None:
    """A little later than it says: nobody asks for another in the midst of a pull."""
    passes, now = desk.passes(), desk.clock.seconds()
    token = str(passes.issue("alice", NAMES, now)["token"])
    assert passes.read(token, now + LIFE + LEEWAY - 1) is not None
    assert passes.read(token, now + LIFE + LEEWAY) is None
    short = passes.issue("alice", NAMES, now, until=now + 10)
    assert short["expires_in"] == 10


def test_keys_of_others_are_not_ours(desk: Desk, tmp_path: Path) -> None:
    """By their looks they are ours, so it may be that another process knows the key."""
    other = Desk(desk.clock, tmp_path / "keys")
    with pytest.raises(UnknownKey):
        desk.read(other.issue())


def test_a_key_that_is_gone_takes_its_passes_along(tmp_path: Path) -> None:
    clock = Clock()
    clock.advance(10**9)
    desk = Desk(clock, tmp_path / "keys")
    passes = desk.passes()
    token = str(passes.issue("alice", NAMES, clock.seconds())["token"])
    assert passes.read(token, clock.seconds()) is not None
    for _ in range(2):
        clock.advance(KEY_LIFE)
        passes.issue("alice", NAMES, clock.seconds())
    with pytest.raises(UnknownKey):
        passes.read(token, 10**9)


@pytest.mark.parametrize("forged", ["none", "claims", "issuer", "audience"])
def test_forgeries(desk: Desk, forged: str) -> None:
    """Another algorithm, other claims under the old signature, and what is not for us."""
    token = desk.issue()
    head, body, signature = token.split(".")
    claims = jwt.decode(token, options={"verify_signature": False})
    kid = jwt.get_unverified_header(token)["kid"]
    key = Keyring(desk.path, desk.clock.seconds, accepted=1.0).find(kid)
    assert key is not None
    other = jwt.encode({**claims, "sub": "root"}, "x" * 32).split(".")[1]
    made = {
        "none": jwt.encode(claims, "", "none", headers={"kid": kid}),
        "claims": f"{head}.{other}.{signature}",
        "issuer": jwt.encode({**claims, "iss": "x"}, key.secret, "HS256", headers={"kid": kid}),
        "audience": jwt.encode({**claims, "aud": "x"}, key.secret, "HS256", headers={"kid": kid}),
    }
    assert desk.read(made[forged]) is None
    assert desk.read(f"{head}.{body}.{signature}") is not None


@given(token=st.text(max_size=60) | st.from_regex(r"[\w-]{0,40}\.[\w-]{0,40}\.[\w-]{0,40}"))
def test_what_is_none(token: str, desk: Desk) -> None:
    assert desk.read(token) is None


def test_what_is_too_long_is_not_looked_at(desk: Desk) -> None:
    assert desk.read("a" * (MAX_TOKEN + 1)) is None


@given(at=st.integers(0, 200), to=st.characters(codec="ascii"))
def test_a_pass_with_any_other_character_is_none(at: int, to: str, desk: Desk) -> None:
    """Or the same one: base64 leaves bits unused at the end."""
    token = desk.issue()
    changed = token[:at] + to + token[at + 1 :]
    if changed != token:
        try:
            found = desk.read(changed)
        except UnknownKey:
            return
        assert found is None
