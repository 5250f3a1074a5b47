"""The certificate of the https listeners: there, in force, for the right name, with its chain."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from OpenSSL import SSL
from OpenSSL.crypto import X509, X509Store, X509StoreContext, X509StoreContextError

from hubmirror.certificates.acme_store import AcmeStore
from hubmirror.certificates.files import CertificateError, KeyPair, load_pair
from hubmirror.certificates.issuing import names_of
from hubmirror.config import Config
from hubmirror.doctor.findings import Finding, fail, ok, warn

__all__ = ["certificate_findings"]

#: Time enough to renew a certificate by hand.
_SOON: Final = timedelta(days=14)


def certificate_findings(config: Config, now: datetime) -> list[Finding]:
    """What is found about the certificate that ``config`` has; ``now`` is aware of its zone."""
    if not config.https:
        return [ok("certificate", "there is no https listener, so no certificate is needed")]
    if config.certificate is not None and config.private_key is not None:
        return list(_given(config.certificate, config.private_key, config.public_url, now))
    if config.acme:
        return list(_issued(config, now))
    return list(_own(config.data / "tls", config.public_url, now))


def _given(
    certificate: Path, private_key: Path, public_url: str | None, now: datetime
) -> Iterator[Finding]:
    try:
        pair = load_pair(certificate, private_key)
    except CertificateError as error:
        yield fail("certificate", str(error), "mend certificate and private_key")
        return
    yield from _in_force(pair, now)
    yield from _named(pair, public_url)
    yield from _chained(pair, now)


def _issued(config: Config, now: datetime) -> Iterator[Finding]:
    """That of an ACME server, which renews itself while the mirror runs."""
    store, names = AcmeStore(config.data / "acme", config.acme_directory), ", ".join(config.acme)
    try:
        pair = store.pair()
    except CertificateError as error:
        yield fail("certificate", str(error), "remove the file: the mirror asks for another")
        return
    if pair is None:
        yield warn(
            "certificate",
            f"{config.acme_directory} has given none for {names} yet",
            "let the mirror run, and see its log: the server must reach it under these names",
        )
        return
    yield from _in_force(pair, now)
    for name in config.acme:
        yield from _named(pair, f"https://{name}")
    if config.acme_ca is None:  # whose root this machine need not know
        yield from _chained(pair, now)


def _own(folder: Path, public_url: str | None, now: datetime) -> Iterator[Finding]:
    if not (folder / "ca.pem").exists():
        yield ok("certificate", "the mirror makes a CA and a certificate at its next start")
        return
    try:
        authority = load_pair(folder / "ca.pem", folder / "ca.key")
        pair = load_pair(folder / "leaf.pem", folder / "leaf.key")
    except CertificateError as error:
        yield fail("certificate", str(error), "restart the mirror: it makes what is missing")
        return
    left = authority.chain[0].not_valid_after_utc - now
    if left < timedelta(0):
        yield fail("certificate", "the mirror's own CA has expired", "restart the mirror")
        return
    yield ok("certificate", f"the mirror's own CA is good for {left.days} days")
    yield from _in_force(pair, now)
    yield from _named(pair, public_url)


def _in_force(pair: KeyPair, now: datetime) -> Iterator[Finding]:
    leaf, file = pair.chain[0], pair.certificate_file
    for problem in pair.warnings(now):
        if "expired" in problem or "valid only" in problem:
            yield fail("certificate", problem, "renew it, or set the clock")
        else:
            yield warn("certificate", problem, "whoever has the key can pass for the mirror")
    left = leaf.not_valid_after_utc - now
    if timedelta(0) <= left < _SOON:
        yield warn("certificate", f"{file}: it expires in {left.days} days", "renew it")
    elif left >= _SOON and leaf.not_valid_before_utc <= now:
        yield ok("certificate", f"{file}: it is good for {left.days} days")


def _named(pair: KeyPair, public_url: str | None) -> Iterator[Finding]:
    host = urlsplit(public_url or "").hostname
    if host is None or not (public_url or "").startswith("https:"):
        return
    names = names_of(pair.chain[0])
    if any(_covers(name, host) for name in names):
        yield ok("certificate", f"it is for {host}")
    else:
        yield fail(
            "certificate",
            f"it is for {', '.join(sorted(names)) or 'no name'}, and not for {host}",
            "get one for that name: it is the one by which clients know the mirror",
        )


def _covers(name: str, host: str) -> bool:
    """Whether a certificate's ``name`` is ``host`` (RFC 6125, section 6.4)."""
    if name.startswith("*."):
        return host.partition(".")[2].lower() == name[2:].lower()
    return name.lower() == host.lower()


def _chained(pair: KeyPair, now: datetime) -> Iterator[Finding]:
    """Whether the machine's own trust leads from the chain's end to a root."""
    problem = _problem(pair, now)
    if problem is None:
        yield ok("certificate", "its chain leads to a root that this machine trusts")
    elif "expired" not in problem and "not yet valid" not in problem:  # which is told already
        yield warn(
            "certificate",
            f"this machine does not trust it: {problem}",
            "put the intermediate certificates behind it, in one file; with a CA of your own give"
            " that to your clients (hubmirror setup … --ca FILE)",
        )


def _problem(pair: KeyPair, now: datetime) -> str | None:
    """What OpenSSL has against the chain, by the platform's trust."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_default_verify_paths()
    store = context.get_cert_store() or X509Store()  # it lives no longer than the context
    store.set_time(now.replace(tzinfo=None))
    leaf, *others = (X509.from_cryptography(one) for one in pair.chain)
    try:
        X509StoreContext(store, leaf, others).verify_certificate()
    except X509StoreContextError as error:
        return str(error)
    return None
