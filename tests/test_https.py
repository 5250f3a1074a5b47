"""The https listeners' certificate, as the configuration has it."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path

import pytest
from OpenSSL import SSL

from hubmirror.certificates.files import CertificateError
from hubmirror.certificates.issuing import names_of
from hubmirror.certificates.local_ca import LocalAuthority
from hubmirror.config import Config, load
from hubmirror.https import Https, acme_store
from tests.certificates.making import NOW, make
from tests.support.certificates import Authority


def configured(folder: Path, **flags: str) -> Config:
    listening = {"https": "127.0.0.1:0", "data": str(folder / "data")}
    return load({**listening, **flags}, {}).config


def test_makes_a_ca_of_its_own(tmp_path: Path) -> None:
    """Without a certificate: and tells clients how to trust it, by the name they know."""
    config = configured(tmp_path, public_url="https://hub.example")
    (tmp_path / "data").mkdir()
    told = "\n".join(Https(config).greeting(["https://127.0.0.1:5443"]))
    assert str(tmp_path / "data" / "tls" / "ca.pem") in told
    assert "hub.example" in told


def test_begins_tls_with_the_certificate_in_force(tmp_path: Path) -> None:
    """On a connection that a client has made."""
    (tmp_path / "data").mkdir()
    https = Https(configured(tmp_path))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        server, client = https.secure(ours), SSL.Connection(SSL.Context(SSL.TLS_METHOD), theirs)
        client.set_connect_state()
        for _ in range(2):
            for end in (client, server):
                with suppress(SSL.WantReadError):
                    end.do_handshake()
        shown = client.get_peer_certificate(as_cryptography=True)
    assert shown is not None
    assert shown.not_valid_after_utc.timestamp() == https.expiry()


def test_goes_over_to_another_certificate(tmp_path: Path) -> None:
    """A reload takes what the configuration names now; what can't be used changes nothing."""
    (tmp_path / "data").mkdir()
    certificate = Authority(tmp_path).issue("one")
    https = Https(configured(tmp_path))
    own = configured(
        tmp_path, certificate=str(certificate), private_key=str(certificate.with_suffix(".key"))
    )
    https.reload(own)
    assert list(https.greeting(["https://127.0.0.1:5443"])) == []
    assert list(https.warnings()) == []
    certificate.write_text("no certificate")
    with pytest.raises(CertificateError):
        https.reload(own)
    https.check()


def test_a_certificate_from_elsewhere_is_used_once_it_is_there(tmp_path: Path) -> None:
    """Until then that of the local CA, for the same names; and that is said."""
    (tmp_path / "data").mkdir()
    config = configured(tmp_path, acme="hub.example.net")
    https = Https(config)
    before, said = https.expiry(), list(https.greeting(["https://127.0.0.1:5443"]))
    assert "hub.example.net" in said[0]
    assert "its CA" in said[1]
    made = make("hub.example.net")
    acme_store(config).keep_pair(made.pem, made.key)
    https.check()
    assert https.expiry() == made.certificate.not_valid_after_utc.timestamp() != before
    assert list(https.greeting(["https://127.0.0.1:5443"])) == []
    leaf = LocalAuthority(tmp_path / "data" / "tls", (), lambda: NOW).load().chain[0]
    assert "hub.example.net" in names_of(leaf)
