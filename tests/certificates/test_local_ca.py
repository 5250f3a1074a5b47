"""A local CA in a folder, and its leaf that renews itself."""

from __future__ import annotations

import ssl
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pytest_twisted import ensureDeferred
from zope.interface.verify import verifyObject

from hubmirror.certificates.files import CertificateError, KeyPair
from hubmirror.certificates.issuing import AUTHORITY_LIFE, LEAF_LIFE, names_of
from hubmirror.certificates.local_ca import LocalAuthority
from hubmirror.certificates.server import ServerTLS
from hubmirror.certificates.sources import ICertificateSource
from tests.certificates.handshakes import Loopback, greet, trusting
from tests.certificates.making import NOW, key_pem, make

NAMES = ("localhost", "127.0.0.1")
DAY = timedelta(days=1)


class Clock:
    """A clock set by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "tls"


def load(folder: Path, clock: Clock, *names: str) -> KeyPair:
    """What a start of the daemon loads."""
    return LocalAuthority(folder, names or NAMES, clock).load()


def test_files_and_modes(folder: Path, clock: Clock) -> None:
    """Four files: the keys their owner's alone, as is the folder."""
    load(folder, clock)
    modes = {entry.name: entry.stat().st_mode & 0o777 for entry in folder.iterdir()}
    assert {name: mode for name, mode in modes.items() if name.endswith(".key")} == {
        "ca.key": 0o600,
        "leaf.key": 0o600,
    }
    assert modes.keys() == {"ca.pem", "ca.key", "leaf.pem", "leaf.key"}
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", NAMES)
@ensureDeferred
async def test_clients_verify_it(folder: Path, clock: Clock, loopback: Loopback, name: str) -> None:
    """A client that trusts ca.pem reaches the mirror by name and by address, strictly checked."""
    source = LocalAuthority(folder, NAMES, clock)
    assert verifyObject(ICertificateSource, source)
    port = loopback.listen(ServerTLS(source))
    context = trusting(source.certificate_file.read_bytes())
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    assert (await loopback.run(greet, port, context, name)).certificate
    with pytest.raises(ssl.SSLCertVerificationError, match="elsewhere"):
        await loopback.run(greet, port, context, "elsewhere.example")


def test_reused_at_the_next_start(folder: Path, clock: Clock) -> None:
    """The next start, and one that wants fewer names, finds the same pair."""
    first = load(folder, clock, *NAMES, "other.example")
    clock.now += LEAF_LIFE / 2
    assert load(folder, clock).chain == first.chain


def test_a_new_name_makes_a_new_leaf(folder: Path, clock: Clock) -> None:
    """A leaf that lacks a name is made anew under the same CA."""
    authority = folder / "ca.pem"
    load(folder, clock)
    before = authority.read_bytes()
    assert "mirror.example" in names_of(load(folder, clock, "mirror.example").chain[0])
    assert authority.read_bytes() == before


def test_renewal_of_the_leaf(folder: Path, clock: Clock) -> None:
    """With less than a third of its life left, the leaf renews itself, and only then."""
    source = LocalAuthority(folder, NAMES, clock)
    tls = ServerTLS(source)
    first = tls.pair
    assert not tls.reload_if_changed()
    clock.now = NOW + LEAF_LIFE * 2 / 3 - DAY
    assert not tls.changed()
    clock.now += 2 * DAY
    assert tls.reload_if_changed()
    assert tls.pair.chain != first.chain
    assert tls.pair.chain[0].not_valid_after_utc == clock.now + LEAF_LIFE
    assert not tls.reload_if_changed()
    assert not tls.changed()


def test_a_renewal_that_fails_is_tried_again(folder: Path, clock: Clock) -> None:
    """What could not be written is complained of once an hour, and made when it can be."""
    tls = ServerTLS(LocalAuthority(folder, NAMES, clock))
    obstacle = folder / ".leaf.key.new"
    obstacle.mkdir()
    clock.now += LEAF_LIFE
    with pytest.raises(CertificateError, match=r"leaf.key: can't be written"):
        tls.reload_if_changed()
    assert not tls.changed()
    obstacle.rmdir()
    clock.now += timedelta(hours=1)
    assert tls.reload_if_changed()


def test_a_clock_that_was_wrong(folder: Path, clock: Clock) -> None:
    """Certificates made in the future are made anew; the CA's key stays."""
    clock.now = NOW + 1000 * DAY
    load(folder, clock)
    key = (folder / "ca.key").read_bytes()
    clock.now = NOW
    assert load(folder, clock).warnings(NOW) == ()
    assert (folder / "ca.key").read_bytes() == key


@ensureDeferred
async def test_renewal_of_the_authority(folder: Path, clock: Clock, loopback: Loopback) -> None:
    """In its last year the CA is renewed on its key: who trusts the old one still verifies."""
    clock.now = NOW - AUTHORITY_LIFE + 364 * DAY
    load(folder, clock)
    old = (folder / "ca.pem").read_bytes()
    load(folder, clock)
    assert (folder / "ca.pem").read_bytes() == old
    clock.now = NOW - 2 * DAY
    tls = ServerTLS(LocalAuthority(folder, NAMES, clock))
    tls.reload()  # its own writing was a change to read once more
    assert (folder / "ca.pem").read_bytes() == old
    clock.now = NOW
    assert not tls.reload_if_changed()  # the leaf serves on, under a CA renewed beside it
    new = (folder / "ca.pem").read_bytes()
    assert new != old
    port = loopback.listen(tls)
    for trusted in (old, new):
        assert (await loopback.run(greet, port, trusting(trusted))).certificate


@pytest.mark.parametrize("damage", [None, b"", b"hello", make().pem, key_pem(make().key)])
@pytest.mark.parametrize("name", ["leaf.pem", "leaf.key"])
def test_a_damaged_leaf_is_made_anew(
    folder: Path, clock: Clock, name: str, damage: bytes | None
) -> None:
    """A leaf that is lost, damaged or another's is no reason not to start."""
    first = load(folder, clock)
    (folder / name).unlink() if damage is None else (folder / name).write_bytes(damage)
    second = load(folder, clock)
    assert second.chain != first.chain
    assert load(folder, clock).chain == second.chain


def test_a_leaf_of_another_authority_is_made_anew(
    folder: Path, clock: Clock, tmp_path: Path
) -> None:
    """A leaf that the CA in the folder did not sign is of no use to its clients."""
    first = load(folder, clock)
    load(tmp_path / "other", clock)
    for name in ("leaf.pem", "leaf.key"):
        (tmp_path / "other" / name).rename(folder / name)
    second = load(folder, clock)
    assert second.chain[0].issuer == first.chain[0].issuer
    assert second.chain != first.chain


@pytest.mark.parametrize("damage", [b"hello", make().pem])
def test_a_damaged_authority_is_an_error(folder: Path, clock: Clock, damage: bytes) -> None:
    """A CA that people trust is never replaced unasked; the error says what to do."""
    load(folder, clock)
    (folder / "ca.pem").write_bytes(damage)
    with pytest.raises(CertificateError, match=r"ca\.(pem|key): .*; restore it, or remove"):
        load(folder, clock)
    assert (folder / "ca.pem").read_bytes() == damage


def test_an_authority_without_its_key_is_an_error(folder: Path, clock: Clock) -> None:
    """A lost key is an error too: nothing else could sign for those who trust the CA."""
    load(folder, clock)
    (folder / "ca.key").unlink()
    with pytest.raises(CertificateError, match=r"ca\.key: can't be read: .*; restore it"):
        load(folder, clock)


def test_a_crash_before_the_authority_was_written(folder: Path, clock: Clock) -> None:
    """A key alone, as a crash at the first start leaves it, gets its certificate."""
    load(folder, clock)
    key = (folder / "ca.key").read_bytes()
    (folder / "ca.pem").unlink()
    load(folder, clock)
    assert (folder / "ca.key").read_bytes() == key
    assert (folder / "ca.pem").exists()
