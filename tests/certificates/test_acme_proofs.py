"""Certificates that prove a name, while it is looked at."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest
from cryptography import x509

from hubmirror.certificates.acme_proofs import ACME_TLS, Proofs, proof_for
from hubmirror.certificates.client_hello import ClientHello
from tests.certificates.making import NOW, ec_key

NAMES = ("a.example", "b.example")
ASKS = ClientHello("a.example", (ACME_TLS,))


def test_is_as_the_rfc_has_it() -> None:
    """RFC 8737, section 3: one name, and the hash, which must be understood."""
    proof = proof_for("a.example", "token.thumbprint", ec_key(), NOW)
    names = proof.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.value.get_values_for_type(x509.DNSName) == ["a.example"]
    identifier = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")
    extension = proof.extensions.get_extension_for_oid(identifier)
    assert extension.critical
    value = extension.value
    assert isinstance(value, x509.UnrecognizedExtension)
    digest = hashlib.sha256(b"token.thumbprint").digest()
    assert value.value == b"\x04\x20" + digest
    assert proof.not_valid_before_utc < NOW < proof.not_valid_after_utc


def test_is_there_while_it_is_under_way(tmp_path: Path) -> None:
    """For its owner alone, and only for who asks by that protocol alone."""
    proofs = Proofs(tmp_path / "proofs")
    assert not proofs.are_under_way()
    with proofs.under_way("a.example", "1.x"), proofs.under_way("b.example", "2.x"):
        assert proofs.are_under_way()
        assert proofs.context_for(ASKS, NAMES) is not None
        modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
        assert modes == {0o700, 0o600}
    assert not proofs.are_under_way()
    assert proofs.context_for(ASKS, NAMES) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "hello",
    [
        ClientHello("a.example", ()),
        ClientHello("a.example", (b"http/1.1",)),
        ClientHello("a.example", (ACME_TLS, b"http/1.1")),
        ClientHello("", (ACME_TLS,)),
        ClientHello("b.example", (ACME_TLS,)),
        ClientHello("c.example", (ACME_TLS,)),
        ClientHello("../proofs/a.example", (ACME_TLS,)),
    ],
)
def test_others_are_shown_the_usual_one(tmp_path: Path, hello: ClientHello) -> None:
    """Names that are not ours, or not under way, or no names at all."""
    proofs = Proofs(tmp_path / "proofs")
    with proofs.under_way("a.example", "1.x"):
        assert proofs.context_for(hello, NAMES) is None


def test_what_a_crash_has_left_can_be_cleared(tmp_path: Path) -> None:
    """Also where there is nothing."""
    proofs = Proofs(tmp_path / "proofs")
    proofs.clear()
    (tmp_path / "proofs").mkdir()
    (tmp_path / "proofs" / "a.example.pem").write_text("half")
    assert proofs.context_for(ASKS, NAMES) is None
    proofs.clear()
    assert not proofs.are_under_way()
