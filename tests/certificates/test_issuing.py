"""What the local CA's certificates say."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from hubmirror.certificates.files import KeyPair
from hubmirror.certificates.issuing import (
    AUTHORITY_LIFE,
    LEAF_LIFE,
    issue_authority,
    issue_leaf,
    names_of,
    new_key,
)
from tests.certificates.making import NOW, make

NAMES = frozenset({"localhost", "mirror.example", "127.0.0.1", "::1"})


@pytest.fixture
def authority() -> KeyPair:
    key = new_key()
    return KeyPair((issue_authority(key, NOW),), key, Path("ca.pem"), Path("ca.key"))


def test_leaf_verifies(authority: KeyPair) -> None:
    """A strict verifier (the Web PKI's rules) accepts the leaf for its names, for its time."""
    leaf = issue_leaf(new_key(), NAMES, authority, NOW)
    policy = PolicyBuilder().store(Store([authority.chain[0]]))

    def verify(name: str, after: timedelta) -> None:
        subject = x509.DNSName(name)
        policy.time(NOW + after).build_server_verifier(subject).verify(leaf, [])

    verify("mirror.example", timedelta(0))
    verify("localhost", LEAF_LIFE)
    with pytest.raises(VerificationError):
        verify("localhost", LEAF_LIFE + timedelta(seconds=1))
    with pytest.raises(VerificationError):
        verify("elsewhere.example", timedelta(0))


def test_names(authority: KeyPair) -> None:
    """The names asked for are the names found, addresses included; others may have none."""
    assert names_of(issue_leaf(new_key(), NAMES, authority, NOW)) == NAMES
    assert names_of(authority.chain[0]) == frozenset()


def test_authority_signs_leaves_only(authority: KeyPair) -> None:
    """The CA may have no CA below it, and does nothing but sign certificates."""
    certificate = authority.chain[0]
    limits = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert (limits.critical, limits.value.ca, limits.value.path_length) == (True, True, 0)
    assert (usage.critical, usage.value.key_cert_sign) == (True, True)
    assert not usage.value.digital_signature
    assert certificate.not_valid_after_utc == NOW + AUTHORITY_LIFE


def test_authorities_names(authority: KeyPair) -> None:
    """A renewed CA keeps its name; another key's CA has another."""
    later = NOW + timedelta(days=1)
    subject = authority.chain[0].subject
    assert issue_authority(authority.private_key, later).subject == subject
    assert issue_authority(new_key(), later).subject != subject
    assert make().certificate.subject != subject
