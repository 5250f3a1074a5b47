"""Tests of who may use the mirror, from a configuration."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from threading import get_ident
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from hubmirror.access.files import AccessFileError, write_private
from hubmirror.access.gate import OpenAccess
from hubmirror.access.names import Names
from hubmirror.access.robots import Robot, Robots, new_token, written_robots
from hubmirror.access.users import hashed
from hubmirror.admission import Admission, PasswordThreads, compose_admission, compose_gate
from hubmirror.config import load
from hubmirror.question import Answer, Client, Ping, Question, TokenRequest
from hubmirror.registries import Registries
from tests.support.waiting import wait_until

NAMES = Names(Registries("docker.io"))


class Elsewhere(Exception):
    """For another process."""


def composed(folder: Path, **settings: str) -> Admission:
    config = load({"data": str(folder), **settings}, {}).config
    clock = Clock()
    return compose_admission(
        config, NAMES, clock.seconds, clock.seconds, lambda work, *what: succeed(work(*what))
    )


def test_where_nothing_is_set_nothing_is_asked(tmp_path: Path) -> None:
    """So that it costs nothing, and no file is made."""
    assert isinstance(composed(tmp_path).access, OpenAccess)
    some = composed(tmp_path, access_allow="10.0.0.0/8")
    assert not isinstance(some.access, OpenAccess)
    assert some.office is None
    assert list(tmp_path.iterdir()) == []


def test_who_logs_in_gets_passes(tmp_path: Path) -> None:
    """By a key that is there from the first moment: workers look for it."""
    assert composed(tmp_path, access_login="required").office is not None
    assert (tmp_path / "access" / "keys").exists()


def test_a_broken_file_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "users").write_text("nonsense")
    (tmp_path / "users").chmod(0o600)
    users = str(tmp_path / "users")
    with pytest.raises(AccessFileError, match="line 1"):
        composed(tmp_path, access_login="required", access_users=users)


def test_a_worker_leaves_passwords_to_the_keeper(tmp_path: Path) -> None:
    """It decides about all else."""
    config = load({"data": str(tmp_path), "access_login": "required"}, {}).config
    clock = Clock()
    access = compose_gate(config, NAMES, clock.seconds, clock.seconds, Elsewhere)
    client = Client("192.0.2.1", "http://mirror.example")
    assert access.objection(Question("GET", Ping(), client)) is not None
    with pytest.raises(Elsewhere):
        access.objection(Question("GET", Ping(), client, "Basic YWxpY2U6eA=="))


def test_a_worker_knows_who_was_added_a_moment_ago(tmp_path: Path) -> None:
    """By the pass that the keeper gave: nobody waits for the next look at the files."""
    config = load({"data": str(tmp_path), "access_login": "required"}, {}).config
    clock = Clock()
    keeper = composed(tmp_path, access_login="required")
    worker = compose_gate(config, NAMES, clock.seconds, clock.seconds, Elsewhere)
    token, digest = new_token()
    robots = Robots((Robot("ci", digest, ("**",), 0.0),))
    write_private(config.users_file, b"alice:%b\n" % hashed(b"correct horse", 4))
    write_private(config.robots_file, written_robots(robots))
    client = Client("192.0.2.1", "http://mirror.example")
    for login in ("alice:correct horse", f"robot$ci:{token}"):
        basic = f"Basic {b64encode(login.encode()).decode()}"
        asked = Question("GET", TokenRequest(()), client, basic)
        assert keeper.office is not None
        found: list[Answer] = []
        answering = Deferred.fromCoroutine(keeper.office.answer(asked, TokenRequest(())))
        answering.addCallback(found.append)
        bearer = f"Bearer {json.loads(bytes(found[0].body))['token']}"  # type: ignore[arg-type]
        ping = Question("GET", Ping(), client, bearer)
        assert worker.objection(ping) is None
        assert worker.user_of(ping) == login.partition(":")[0]


def test_passwords_have_threads_of_their_own() -> None:
    """They begin with the first one, and end."""

    class Reactor:
        def __init__(self) -> None:
            self.calls: list[Any] = []

        def callFromThread(self, *call: Any) -> None:
            self.calls.append(call)

    reactor, seen = Reactor(), []
    threads = PasswordThreads(reactor)
    threads.close()

    def work(password: bytes, hash_: bytes) -> bool:
        seen.append(get_ident())
        return password == hash_

    done = threads.run(work, b"x", b"x")
    wait_until(lambda: reactor.calls, "the thread reports")
    for function, *arguments in reactor.calls:
        function(*arguments)
    assert done.result is True
    assert seen != [get_ident()]
    threads.close()
