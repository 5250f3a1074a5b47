"""Servers on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from hubmirror.certificates.server import ServerTLS
from hubmirror.certificates.sources import CertificateFiles
from tests.certificates.making import make, write_pair
from tests.transport.serving import Serving


@pytest.fixture(scope="session")
def server_tls(tmp_path_factory: pytest.TempPathFactory) -> ServerTLS:
    """A certificate for all tests."""
    folder = tmp_path_factory.mktemp("certificate")
    return ServerTLS(CertificateFiles(*write_pair(folder, make())))


@pytest.fixture(params=["plain", "tls"])
def serving(request: Any, reactor: Any, server_tls: ServerTLS) -> Iterator[Serving]:
    """A server of each kind: what is tested of it holds for both."""
    yield from _serving(reactor, server_tls if request.param == "tls" else None)


@pytest.fixture
def secure_serving(reactor: Any, server_tls: ServerTLS) -> Iterator[Serving]:
    """A server under TLS."""
    yield from _serving(reactor, server_tls)


def _serving(reactor: Any, tls: ServerTLS | None) -> Iterator[Serving]:
    started = Serving(reactor, None if tls is None else tls.secure)
    yield started
    pytest_twisted.blockon(Deferred.fromCoroutine(started.close()))
