"""The certificate of the https listeners."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from attrs import evolve

from hubmirror.certificates.acme_store import AcmeStore
from hubmirror.certificates.files import load_key
from hubmirror.certificates.local_ca import LocalAuthority
from hubmirror.config import Config, load
from hubmirror.doctor.certificates import certificate_findings
from hubmirror.doctor.findings import Severity, worst
from tests.support.certificates import Authority

NOW = datetime.now(timezone.utc)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A mirror with TLS and no certificate of its own."""
    values = {"data": str(tmp_path / "data"), "https": ":5443"}
    return load(values, {}, folder=tmp_path).config


@pytest.fixture
def given(config: Config, tmp_path: Path) -> Config:
    """One with a certificate of somebody's CA, for ``hub.example`` and all below ``b.example``."""
    certificate = Authority(tmp_path).issue("mirror", ("hub.example", "*.b.example"))
    return evolve(config, certificate=certificate, private_key=certificate.with_suffix(".key"))


def told(config: Config, now: datetime = NOW) -> str:
    """All that is found, as text."""
    found = certificate_findings(config, now)
    return "\n".join(f"{one.severity.value} {one.what}" for one in found)


def test_none_is_needed(config: Config) -> None:
    """Without TLS."""
    assert told(evolve(config, https=())).startswith("ok there is no https")


def test_one_of_the_mirrors_own(config: Config) -> None:
    """Before it is made, then with its CA; it renews itself, if the mirror runs."""
    assert told(config).startswith("ok the mirror makes")
    LocalAuthority(config.data / "tls", ["hub.example"], lambda: NOW).load()

    assert worst(certificate_findings(config, NOW)) is Severity.OK
    assert "fail" in told(config, NOW + timedelta(days=400))
    assert "own CA has expired" in told(config, NOW + timedelta(days=10_000))
    (config.data / "tls/leaf.pem").write_text("damaged")
    assert "fail" in told(config)


def test_one_of_an_acme_server(config: Config, tmp_path: Path) -> None:
    """Before it is given, and then: it is for all names, and may be of a root that is not known."""
    acme = evolve(config, acme=("hub.example", "a.b.example"), acme_ca=tmp_path / "ca")
    assert told(acme).startswith("warn")
    certificate = Authority(tmp_path).issue("acme", ("hub.example",))
    key = load_key(certificate.with_suffix(".key"))
    AcmeStore(config.data / "acme", acme.acme_directory).keep_pair(certificate.read_bytes(), key)

    assert "ok it is for hub.example" in told(acme)
    assert "fail it is for hub.example, and not for a.b.example" in told(acme)
    assert "does not trust" not in told(acme)
    assert "does not trust" in told(evolve(acme, acme_ca=None))


def test_time(given: Config) -> None:
    """Good, soon to end, over, and not begun."""
    leaf_days = next(
        days for days in range(1, 1000) if "expired" in told(given, NOW + timedelta(days=days))
    )

    assert "ok" in told(given).partition("\n")[0]
    assert "warn" in told(given, NOW + timedelta(days=leaf_days - 5)).partition("\n")[0]
    assert told(given, NOW + timedelta(days=leaf_days)).startswith("fail")
    assert told(given, NOW - timedelta(days=30)).startswith("fail")


@pytest.mark.parametrize(
    ("url", "is_right"),
    [
        ("https://hub.example", True),
        ("https://HUB.example:5443", True),
        ("https://a.b.example", True),
        ("https://b.example", False),
        ("https://a.a.b.example", False),
        ("https://other.example", False),
    ],
)
def test_the_name(given: Config, url: str, is_right: bool) -> None:
    """It is to be that of the public URL."""
    assert ("and not for" not in told(evolve(given, public_url=url))) is is_right


def test_plain_clients_need_no_name(given: Config) -> None:
    """A proxy before the mirror has TLS of its own, or there is none."""
    assert "not for" not in told(evolve(given, public_url="http://other.example"))


def test_a_chain_that_this_machine_does_not_trust(given: Config) -> None:
    """A CA of one's own, or an intermediate that is missing."""
    assert "warn this machine does not trust it" in told(given)


def test_files_that_can_not_be_used(given: Config, tmp_path: Path) -> None:
    """What is wrong is told by the file's name."""
    other = Authority(tmp_path / "..").issue("other", ("hub.example",))

    assert told(evolve(given, private_key=other.with_suffix(".key"))).startswith("fail")
    assert "fail" in told(evolve(given, certificate=tmp_path / "none"))


def test_a_key_that_all_may_read(given: Config) -> None:
    """Whoever has it can pass for the mirror."""
    assert given.private_key is not None
    given.private_key.chmod(0o644)

    assert "warn" in told(given)
    assert "any user may read" in told(given)
