"""Swapping a listener's certificate while it listens."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from pytest_twisted import ensureDeferred

from hubmirror.certificates.files import CertificateError
from hubmirror.certificates.server import ServerTLS
from hubmirror.certificates.sources import CertificateFiles
from tests.certificates.handshakes import Loopback, connect, echo, greet, trusting
from tests.certificates.making import Made, ec_key, make, write_pair


def serving(folder: Path, made: Made) -> ServerTLS:
    return ServerTLS(CertificateFiles(*write_pair(folder, made)))


def der(made: Made) -> bytes:
    return ssl.PEM_cert_to_DER_cert(made.pem.decode())


def test_a_bad_pair_at_the_start(tmp_path: Path) -> None:
    """Without a first pair there is no server."""
    with pytest.raises(CertificateError):
        ServerTLS(CertificateFiles(tmp_path / "none.pem", tmp_path / "none.key"))


@ensureDeferred
async def test_reload_while_a_connection_is_open(tmp_path: Path, loopback: Loopback) -> None:
    """New connections get the new certificate; an open one goes on as before."""
    old, new = make(), make()
    tls = serving(tmp_path, old)
    port = loopback.listen(tls)
    with await loopback.run(connect, port, trusting(old.pem)) as connection:
        write_pair(tmp_path, new)
        assert tls.changed()
        assert tls.reload_if_changed()
        assert tls.pair.chain == (new.certificate,)
        assert (await loopback.run(greet, port, trusting(new.pem))).certificate == der(new)
        assert await loopback.run(echo, connection) == b"hello"


@ensureDeferred
async def test_a_bad_pair_leaves_the_old_in_force(tmp_path: Path, loopback: Loopback) -> None:
    """A bad pair raises once; the old one serves, and the next good one is taken."""
    old, new = make(), make()
    tls = serving(tmp_path, old)
    port = loopback.listen(tls)
    write_pair(tmp_path, new, key=ec_key())
    with pytest.raises(CertificateError):
        tls.reload_if_changed()
    assert not tls.reload_if_changed()  # the periodic check complains once, not every time
    with pytest.raises(CertificateError):
        tls.reload()  # but whoever asks hears it again
    assert (await loopback.run(greet, port, trusting(old.pem))).certificate == der(old)
    write_pair(tmp_path, new)
    assert tls.reload_if_changed()
    assert (await loopback.run(greet, port, trusting(new.pem))).certificate == der(new)


@ensureDeferred
async def test_the_same_certificate_keeps_its_sessions(tmp_path: Path, loopback: Loopback) -> None:
    """Files that are touched, and a reload unasked for, forget no session."""
    made = make()
    tls = serving(tmp_path, made)
    port = loopback.listen(tls)
    context = trusting()
    first = await loopback.run(greet, port, context)
    write_pair(tmp_path, made)
    assert tls.changed()
    assert not tls.reload_if_changed()
    assert not tls.changed()
    assert not tls.reload()
    second = await loopback.run(greet, port, context, "localhost", first.session)
    assert second.reused


def test_another_source(tmp_path: Path) -> None:
    """A configuration that names other files is followed once those are good."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    old, new = make(), make()
    tls = serving(here, old)
    elsewhere = CertificateFiles(*write_pair(there, new, key=ec_key()))
    with pytest.raises(CertificateError):
        tls.reload(elsewhere)
    assert not tls.changed()
    assert tls.pair.chain == (old.certificate,)
    write_pair(there, new)
    assert tls.reload(elsewhere)
    assert not tls.changed()
    write_pair(there, old)
    assert tls.changed()
