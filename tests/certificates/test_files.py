"""Reading a chain and its key from PEM files."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, PrivateFormat

from hubmirror.certificates.files import CertificateError, PrivateKey, load_key, load_pair
from tests.certificates.making import NOW, ec_key, key_pem, make, rsa_key, write_pair

#: What ``openssl ecparam -genkey`` writes before a P-256 key.
EC_PARAMETERS = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("new_key", [ec_key, rsa_key])
def test_forms_of_keys(tmp_path: Path, new_key: type[PrivateKey], form: PrivateFormat) -> None:
    """RSA and EC keys are read as PKCS#8, and as PKCS#1 or SEC1."""
    made = make(key=new_key())
    certificate, key = write_pair(tmp_path, made)
    key.write_bytes(key_pem(made.key, form))
    pair = load_pair(certificate, key)
    assert pair.chain == (made.certificate,)
    assert pair.private_key.public_key() == made.key.public_key()
    assert pair.warnings(NOW) == ()


def test_parameters_before_a_key(tmp_path: Path) -> None:
    """The EC parameters that openssl writes before a key are no obstacle."""
    made = make()
    certificate, key = write_pair(tmp_path, made)
    key.write_bytes(EC_PARAMETERS + key_pem(made.key, PrivateFormat.TraditionalOpenSSL))
    assert load_pair(certificate, key).chain == (made.certificate,)


def test_one_file_for_both(tmp_path: Path) -> None:
    """Certificate and key may be in one file, the key first too."""
    made = make()
    both = tmp_path / "both.pem"
    both.write_bytes(key_pem(made.key) + made.pem)
    both.chmod(0o600)
    assert load_pair(both, both).chain == (made.certificate,)


def test_chain_is_put_in_order(tmp_path: Path) -> None:
    """The leaf comes first and each one's issuer next, however the file has them."""
    root = make("root", ca=True)
    middle = make("middle", issuer=root, ca=True)
    leaf = make(issuer=middle)
    stranger = make("stranger")
    certificate, key = write_pair(tmp_path, root, stranger, leaf, middle, leaf, key=leaf.key)
    wanted = (leaf, middle, root, stranger)
    assert load_pair(certificate, key).chain == tuple(made.certificate for made in wanted)


def test_key_of_another_certificate(tmp_path: Path) -> None:
    """A key that fits no certificate is an error that names both files."""
    certificate, key = write_pair(tmp_path, make(), key=ec_key())
    with pytest.raises(CertificateError, match=f"{key}: the key fits no .* in {certificate}"):
        load_pair(certificate, key)


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_encrypted_key(tmp_path: Path, form: PrivateFormat) -> None:
    """An encrypted key is an error that says so, and how to decrypt it."""
    made = make()
    certificate, key = write_pair(tmp_path, made)
    key.write_bytes(key_pem(made.key, form, BestAvailableEncryption(b"secret")))
    with pytest.raises(CertificateError, match=f"{key}: .* encrypted; use: openssl pkey"):
        load_pair(certificate, key)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"\xff\x00", make().pem[:200]],
    ids=["nothing", "words", "bytes", "half of one"],
)
def test_no_certificate(tmp_path: Path, content: bytes) -> None:
    """A file without a whole certificate is an error that names it."""
    certificate, key = write_pair(tmp_path, make())
    certificate.write_bytes(content)
    with pytest.raises(CertificateError, match=f"{certificate}: no certificate"):
        load_pair(certificate, key)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", make().pem, key_pem(ec_key())[:90]],
    ids=["nothing", "words", "a certificate", "half of one"],
)
def test_no_key(tmp_path: Path, content: bytes) -> None:
    """A file without a whole key is an error that names it."""
    key = tmp_path / "key"
    key.write_bytes(content)
    with pytest.raises(CertificateError, match=f"{key}: no private key"):
        load_key(key)


def test_keys_we_refuse(tmp_path: Path) -> None:
    """A short RSA key and one of another kind are refused with the reason."""
    key = tmp_path / "key"
    key.write_bytes(key_pem(rsa_key(1024)))
    with pytest.raises(CertificateError, match="too short: 1024 bits, 2048 is the least"):
        load_key(key)
    key.write_bytes(key_pem(ed25519.Ed25519PrivateKey.generate()))
    with pytest.raises(CertificateError, match="neither RSA nor EC"):
        load_key(key)


@pytest.mark.parametrize("name", ["server.pem", "server.key"])
def test_missing_and_unreadable_files(tmp_path: Path, name: str) -> None:
    """What can't be read is named, with the system's reason."""
    pair = write_pair(tmp_path, make())
    lost = tmp_path / name
    lost.unlink()
    with pytest.raises(CertificateError, match=f"{lost}: can't be read: No such file"):
        load_pair(*pair)
    lost.mkdir()
    with pytest.raises(CertificateError, match=f"{lost}: can't be read: Is a directory"):
        load_pair(*pair)


def test_expired_is_a_warning(tmp_path: Path) -> None:
    """A certificate out of its time loads, and the pair says when it ended or begins."""
    day = timedelta(days=1)
    certificate, key = write_pair(tmp_path, make(begins=NOW, ends=NOW + day))
    pair = load_pair(certificate, key)
    assert pair.warnings(NOW) == pair.warnings(NOW + day) == ()
    (expired,) = pair.warnings(NOW + 2 * day)
    assert expired == f"{certificate}: the certificate expired at {(NOW + day).isoformat()}"
    (early,) = pair.warnings(NOW - day)
    assert "valid only from" in early


@pytest.mark.parametrize(("mode", "count"), [(0o600, 0), (0o640, 0), (0o644, 1)])
def test_exposed_key_is_a_warning(tmp_path: Path, mode: int, count: int) -> None:
    """A key that any user may read is warned of; a group's (as ssl-cert) is in order."""
    certificate, key = write_pair(tmp_path, make())
    key.chmod(mode)
    warnings = load_pair(certificate, key).warnings(NOW)
    assert [f"chmod o-rwx {key}" in warning for warning in warnings] == [True] * count


def test_repr_is_silent_about_the_key(tmp_path: Path) -> None:
    """A pair that reaches a log says nothing of its key."""
    assert "private_key" not in repr(load_pair(*write_pair(tmp_path, make())))
