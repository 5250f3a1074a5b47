"""Tests of looking at passwords: in threads, once for all who show the same, and remembered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from hubmirror.access.files import WatchedFile, write_private
from hubmirror.access.passwords import MOST_WAITING, REMEMBERED, Passwords
from hubmirror.access.throttle import FREE, Throttle
from hubmirror.access.users import hashed, parse_users
from hubmirror.errors import TooManyRequests, Unavailable

HERE = "192.0.2.1"
RIGHT, WRONG = b"correct horse", b"wrong horse"


class Threads:
    """Work that waits until it is let go on."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Any, Deferred[bool]]] = []
        self.looks = 0

    def run(self, work: Any, password: bytes, hash_: bytes) -> Deferred[bool]:
        done: Deferred[bool] = Deferred()
        self.waiting.append((lambda: work(password, hash_), done))
        return done

    def go_on(self) -> None:
        """Do what waits."""
        waiting, self.waiting = self.waiting, []
        for work, done in waiting:
            self.looks += 1
            done.callback(work())


class Desk:
    """Passwords of a file with one user, and what they need."""

    def __init__(self, path: Path) -> None:
        self.path, self.clock, self.threads = path, Clock(), Threads()
        self.put("alice", RIGHT)
        seconds = self.clock.seconds
        users = WatchedFile(path, parse_users, seconds)
        self.passwords = Passwords(users, Throttle(seconds), self.threads.run, seconds)

    def put(self, user: str, password: bytes) -> None:
        write_private(self.path, b"%b:%b\n" % (user.encode(), hashed(password, 4)))

    def check(self, password: bytes, user: str = "alice", address: str = HERE) -> Deferred[bool]:
        return Deferred.fromCoroutine(self.passwords.check(address, user, password))

    def is_right(self, password: bytes, user: str = "alice") -> bool:
        checking = self.check(password, user)
        self.threads.go_on()
        found: bool = checking.result  # type: ignore[assignment]
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "users")


def failure_of(work: Deferred[bool]) -> BaseException:
    caught: list[Any] = []
    work.addErrback(caught.append)
    error: BaseException = caught[0].value
    return error


def test_right_and_wrong(desk: Desk) -> None:
    assert desk.is_right(RIGHT)
    assert not desk.is_right(WRONG)
    assert not desk.is_right(RIGHT, "mallory")


def test_what_was_right_is_remembered_for_a_while(desk: Desk) -> None:
    """From any address."""
    assert not desk.passwords.is_known("alice", RIGHT)
    assert desk.is_right(RIGHT)
    assert desk.passwords.is_known("alice", RIGHT)
    assert desk.is_right(RIGHT)
    assert desk.threads.looks == 1
    desk.clock.advance(REMEMBERED)
    assert not desk.passwords.is_known("alice", RIGHT)


def test_the_same_wrong_password_is_no_further_guess(desk: Desk) -> None:
    """Until it is the right one, or a while has passed."""
    for _ in range(10 * FREE):
        assert not desk.is_right(WRONG)
    assert desk.threads.looks == 1
    assert desk.passwords.objection(HERE) is None
    assert desk.passwords.is_known_wrong("alice", WRONG)
    desk.clock.advance(REMEMBERED)
    assert not desk.is_right(WRONG)
    assert desk.threads.looks == 2
    desk.put("alice", WRONG)
    desk.clock.advance(2)
    assert desk.is_right(WRONG)


def test_another_password_ends_that(desk: Desk) -> None:
    assert desk.is_right(RIGHT)
    desk.put("alice", WRONG)
    desk.clock.advance(2)
    assert not desk.passwords.is_known("alice", RIGHT)
    assert not desk.is_right(RIGHT)


def test_who_was_added_a_moment_ago_may_come(desk: Desk) -> None:
    """The file is looked at before somebody fails."""
    desk.put("bob", WRONG)
    assert desk.is_right(WRONG, "bob")
    assert desk.is_right(WRONG, "bob")
    assert desk.threads.looks == 1


def test_who_shows_the_same_at_the_same_time_shares_a_look(desk: Desk) -> None:
    checks = [desk.check(RIGHT) for _ in range(20)]
    desk.threads.go_on()
    assert [check.result for check in checks] == [True] * 20
    assert desk.threads.looks == 1


def test_guessing_is_slowed_down(desk: Desk) -> None:
    """Who is known to be right is not, from the same address."""
    assert desk.is_right(RIGHT)
    for number in range(FREE + 1):
        assert not desk.is_right(b"%d" % number)
    refused = failure_of(desk.check(WRONG))
    assert isinstance(refused, TooManyRequests)
    assert refused.headers == {"Retry-After": "1"}
    assert desk.passwords.objection(HERE) is not None
    assert desk.is_right(RIGHT)
    desk.clock.advance(1)
    assert desk.passwords.objection(HERE) is None
    assert not desk.is_right(WRONG)


def test_who_leaves_has_guessed_all_the_same(desk: Desk) -> None:
    """The look goes on, and counts."""
    for number in range(FREE + 1):
        check = desk.check(b"%d" % number)
        check.cancel()
        assert isinstance(failure_of(check), CancelledError)
        desk.threads.go_on()
    assert desk.passwords.objection(HERE) is not None


def test_only_so_many_wait(desk: Desk) -> None:
    """From all addresses together, and from one."""
    checks = [desk.check(WRONG, address=f"10.0.0.{number}") for number in range(MOST_WAITING)]
    assert isinstance(failure_of(desk.check(WRONG, address="10.0.1.0")), Unavailable)
    desk.threads.go_on()
    assert [check.result for check in checks] == [False] * MOST_WAITING
    many = [desk.check(b"%d" % number) for number in range(9)]
    assert isinstance(failure_of(many[-1]), Unavailable)
    desk.threads.go_on()
    assert not any(check.result for check in many[:-1])
