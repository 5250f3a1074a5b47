"""Tests of the keys: a new one each day, the old ones for as long as their tokens live."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.task import Clock

from hubmirror.access.files import AccessFileError
from hubmirror.access.keyring import KEY_LIFE, RETRY, Key, Keyring, parse_keys

ACCEPTED = 360.0


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.advance(10**9)
    return clock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "access" / "keys"


def ring(path: Path, clock: Clock) -> Keyring:
    return Keyring(path, clock.seconds, accepted=ACCEPTED)


def test_a_key_is_made_once(path: Path, clock: Clock) -> None:
    """It outlives a restart, and is its owner's alone."""
    key = ring(path, clock).current()
    assert ring(path, clock).current() == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert str(key.secret) not in repr(key)


def test_a_new_one_comes_each_day(path: Path, clock: Clock) -> None:
    """The old one goes when nothing can be alive that it has signed."""
    keys = ring(path, clock)
    first = keys.current()
    clock.advance(KEY_LIFE)
    second = keys.current()
    assert second != first
    assert keys.find(first.id) == first
    clock.advance(KEY_LIFE)
    third = keys.current()
    assert keys.find(second.id) == second
    assert keys.find(first.id) is None
    assert keys.current() == third


def test_a_disk_that_is_full_ends_no_logins(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old key goes on until there is room; without one there is no way."""

    def full(*_: object) -> None:
        raise AccessFileError("no space left on device")

    keys = ring(path, clock)
    first = keys.current()
    clock.advance(KEY_LIFE)
    with monkeypatch.context() as patched:
        patched.setattr("hubmirror.access.keyring.write_private", full)
        assert keys.current() == keys.current() == first
        with pytest.raises(AccessFileError):
            ring(path.with_name("others"), clock).current()
    assert keys.current() == first
    clock.advance(RETRY)
    assert keys.current() != first


def test_a_clock_that_was_set_back_makes_a_new_one(path: Path, clock: Clock) -> None:
    """A key from the future might else sign for years."""
    keys = ring(path, clock)
    first = keys.current()
    earlier = Clock()
    earlier.advance(1)
    assert ring(path, earlier).current() != first


def test_another_process_sees_it_at_once(path: Path, clock: Clock) -> None:
    reader = ring(path, clock)
    key = ring(path, clock).current()
    assert reader.find(key.id) == key
    assert reader.find("0" * 16) is None


@pytest.mark.parametrize(
    "data",
    [
        *(b"x", b"[]", b'{"keys": [{}]}', b'{"keys": [1]}', b"{" * 10**5),
        b'{"keys": [{"id": "%b", "secret": "%b=", "made": %b}]}'
        % (b"0" * 16, b"A" * 43, b"9" * 400),
    ],
)
def test_what_is_no_file_of_keys(data: bytes, path: Path, clock: Clock) -> None:
    """It says what to do."""
    path.parent.mkdir()
    path.write_bytes(data)
    path.chmod(0o600)
    with pytest.raises(AccessFileError, match="remove it"):
        ring(path, clock)


def test_an_empty_file_has_none() -> None:
    none: tuple[Key, ...] = ()
    assert parse_keys(b"") == none
