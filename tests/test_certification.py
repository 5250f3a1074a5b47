"""A renewal is at work while the configuration names hosts."""

from __future__ import annotations

from pathlib import Path
from threading import get_ident
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from zope.interface import provider

from hubmirror.certificates.acme_challenges import Challenges
from hubmirror.certificates.files import CertificateError
from hubmirror.certification import Certification, in_thread, server_of
from hubmirror.config import Config, load
from hubmirror.https import acme_store
from tests.certificates.acme_server import AcmeServerForTests


def configured(folder: Path, **flags: str) -> Config:
    serving = {"https": "127.0.0.1:0", "data": str(folder / "data"), "acme": "hub.example.net"}
    return load({**serving, **flags}, {}).config


async def until(reactor: Any, condition: Any) -> None:
    """Wait until ``condition`` holds."""
    for _ in range(2000):
        if condition():
            return
        await deferLater(reactor, 0.005)
    raise AssertionError("it never came")


@pytest_twisted.ensureDeferred
async def test_gets_what_the_configuration_names(reactor: Any, tmp_path: Path) -> None:
    """In a thread: for other names another one, and for none nothing."""
    server = AcmeServerForTests(tmp_path)
    trusting = {"acme_directory": server.directory, "acme_ca": str(server.ca.certificate)}
    config = configured(tmp_path, **trusting)
    (tmp_path / "data").mkdir()
    certification, installed = Certification(reactor, Challenges()), []
    try:
        certification.serve(config, lambda: installed.append(get_ident()))
        await until(reactor, lambda: installed)
        assert installed == [get_ident()]
        assert acme_store(config).pair() is not None
        other = configured(tmp_path, **{**trusting, "acme": "other.example.net"})
        certification.serve(other, lambda: installed.append(0))
        await until(reactor, lambda: len(installed) == 2)
        asked = len(server.asked)
        certification.serve(configured(tmp_path, **{**trusting, "acme": ""}), installed.clear)
        assert len(server.asked) == asked
    finally:
        certification.stop()
        server.close()


@pytest_twisted.ensureDeferred
async def test_the_same_again_is_a_reason_to_try_at_once(reactor: Any, tmp_path: Path) -> None:
    """As after SIGHUP, when an operator has mended what was wrong."""
    config = configured(tmp_path, acme_directory="https://127.0.0.1:9/dir")
    (tmp_path / "data").mkdir()
    lines: list[str] = []

    @provider(ILogObserver)
    def hear(event: LogEvent) -> None:
        lines.append(formatEvent(event))

    certification = Certification(reactor, Challenges())
    globalLogPublisher.addObserver(hear)
    try:
        for count in (1, 2):
            certification.serve(config, lambda: None)
            await until(reactor, lambda count=count: len(lines) == count)
    finally:
        certification.stop()
        globalLogPublisher.removeObserver(hear)
    assert all("https://127.0.0.1:9/dir could not be asked" in line for line in lines)


@pytest_twisted.ensureDeferred
async def test_where_it_listens_decides_how_names_are_proved(reactor: Any, tmp_path: Path) -> None:
    """Other listeners, another renewal; the same ones, the same."""
    config = configured(tmp_path, acme_directory="https://127.0.0.1:9/dir")
    (tmp_path / "data").mkdir()
    certification = Certification(reactor, Challenges())
    made: list[object] = []
    try:
        for listening in (config, config, evolve(config, http=())):
            certification.serve(listening, lambda: None)
            made.append(certification._renewal)
    finally:
        certification.stop()
    assert made[0] is made[1]
    assert made[1] is not made[2]


@pytest_twisted.ensureDeferred
async def test_a_thread_brings_back_what_it_has(reactor: Any) -> None:
    """A result or an error."""
    assert await in_thread(reactor, get_ident) != get_ident()

    def fail() -> None:
        raise CertificateError("full")

    with pytest.raises(CertificateError, match="full"):
        await in_thread(reactor, fail)


def test_the_way_to_the_server(tmp_path: Path) -> None:
    """By the egress proxy, unless its host is among those that do without."""
    login = tmp_path / "login"
    login.write_text("user:p@ss/word")
    login.chmod(0o600)
    egress = {"egress_proxy": "proxy:3128", "egress_credentials": str(login)}
    assert server_of(configured(tmp_path)).proxy is None
    found = server_of(configured(tmp_path, **egress))
    assert found.proxy == "http://user:p%40ss%2Fword@proxy:3128"
    assert "ss" not in repr(found).replace("https", "")
    around = configured(tmp_path, **egress, no_proxy="letsencrypt.org")
    assert server_of(around).proxy is None
    alone = configured(tmp_path, egress_proxy="http://[::1]:3128")
    assert server_of(alone).proxy == "http://[::1]:3128"
