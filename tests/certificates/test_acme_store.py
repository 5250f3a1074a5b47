"""What an ACME server has given, on the disk."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from hubmirror.certificates.acme_store import Account, AcmeCertificate, AcmeStore
from hubmirror.certificates.files import CertificateError
from hubmirror.certificates.sources import CertificateFiles
from tests.certificates.making import Made, ec_key, make, write_pair

DIRECTORY = "https://acme.example:14000/dir?x=/../y"


def test_all_of_it_is_its_owners_alone(tmp_path: Path) -> None:
    """Folders 0700, files 0600, whatever the umask; each server has its own."""
    store = AcmeStore(tmp_path / "acme", DIRECTORY)
    store.account_key()
    store.keep_account(Account("https://acme.example/1", "a@example.net"))
    made = make()
    store.keep_pair(made.pem, made.key)
    found = {
        path.relative_to(tmp_path).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in tmp_path.rglob("*")
    }
    folder = "acme/acme.example-14000-dir"
    files = ("account.key", "account.json", "certificate.pem")
    assert found == {"acme": 0o700, folder: 0o700, **{f"{folder}/{one}": 0o600 for one in files}}
    other = AcmeStore(tmp_path / "acme", "https://other.example/dir")
    assert (other.account(), other.pair()) == (None, None)


def test_the_account_outlives_a_restart(tmp_path: Path) -> None:
    """Its key too, which is made once."""
    store = AcmeStore(tmp_path, DIRECTORY)
    key = store.account_key().public_key()
    store.keep_account(Account("https://acme.example/1"))
    again = AcmeStore(tmp_path, DIRECTORY)
    assert again.account() == Account("https://acme.example/1")
    assert again.account_key().public_key() == key
    again.forget_account()
    assert again.account() is None
    assert again.account_key().public_key() == key


@pytest.mark.parametrize("damaged", ["", "{}", "[]", '{"url": 1', '{"url": "x"}'])
def test_an_account_that_can_not_be_read_is_none(tmp_path: Path, damaged: str) -> None:
    """The server knows it by its key."""
    store = AcmeStore(tmp_path, DIRECTORY)
    store.keep_account(Account("x"))
    next(tmp_path.rglob("account.json")).write_text(damaged)
    assert store.account() is None


def test_a_chain_and_its_key_are_one_file(tmp_path: Path) -> None:
    """Replaced in one step, and only by what fits."""
    store = AcmeStore(tmp_path, DIRECTORY)
    issuer = make("issuer", ca=True)
    first, second = make(issuer=issuer), make(issuer=issuer)
    kept = store.keep_pair(first.pem + issuer.pem, first.key)
    assert kept.chain == (first.certificate, issuer.certificate)
    with pytest.raises(CertificateError, match="fits no certificate"):
        store.keep_pair(second.pem, ec_key())
    with pytest.raises(CertificateError, match="no certificate"):
        store.keep_pair(b"hello", ec_key())
    found = store.pair()
    assert found is not None
    assert found.chain == kept.chain
    assert found.key_exposed is False
    store.keep_pair(second.pem, second.key)
    assert [path.name for path in store.certificate_file.parent.iterdir()] == ["certificate.pem"]


def source(folder: Path, meanwhile: Made) -> tuple[AcmeStore, AcmeCertificate]:
    """A store, and what listeners use: ``meanwhile`` until there is something in it."""
    store = AcmeStore(folder / "acme", DIRECTORY)
    return store, AcmeCertificate(store, CertificateFiles(*write_pair(folder, meanwhile)))


def test_another_certificate_stands_in_until_there_is_one(tmp_path: Path) -> None:
    """And whoever looks sees when."""
    meanwhile, made = make("meanwhile"), make()
    store, certificate = source(tmp_path, meanwhile)
    before = certificate.stamp()
    assert certificate.load().chain == (meanwhile.certificate,)
    assert certificate.stamp() == before
    store.keep_pair(made.pem, made.key)
    assert certificate.stamp() != before
    assert certificate.load().chain == (made.certificate,)
    after = certificate.stamp()
    write_pair(tmp_path, make("meanwhile"))
    assert certificate.stamp() == after


def test_one_that_is_damaged_is_as_none(tmp_path: Path) -> None:
    """The mirror starts all the same: another will be got."""
    store, certificate = source(tmp_path, make("meanwhile"))
    made = make()
    store.keep_pair(made.pem, made.key)
    store.certificate_file.write_text("damaged")
    assert certificate.load().certificate_file == tmp_path / "server.pem"
    with pytest.raises(CertificateError):
        store.pair()
