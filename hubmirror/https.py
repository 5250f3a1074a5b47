"""The https listeners' certificate: the configured one, or one of a CA of the mirror's own."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from urllib.parse import urlsplit

from OpenSSL import SSL
from twisted.logger import Logger

from hubmirror.certificates.acme_proofs import Proofs
from hubmirror.certificates.acme_store import AcmeCertificate, AcmeStore
from hubmirror.certificates.clients import ClientAuthorities
from hubmirror.certificates.files import CertificateError
from hubmirror.certificates.local_ca import LocalAuthority
from hubmirror.certificates.names import machine_names
from hubmirror.certificates.server import ServerTLS
from hubmirror.certificates.sources import CertificateFiles, ICertificateSource
from hubmirror.certificates.trust import trust_instructions
from hubmirror.config import Config

__all__ = ["Https", "acme_store"]


class Https:
    """TLS as ``config`` has it. Raises ``CertificateError`` where that can't be."""

    _log = Logger()

    def __init__(self, config: Config) -> None:
        self._config = config
        self._tls = ServerTLS(_source(config), _clients(config))
        self._proofs = _proofs(config)

    def secure(self, connected: socket.socket) -> SSL.Connection:
        """TLS with the certificate in force, on a client's connection.

        An ACME server that looks whether a name is ours is shown another one.
        """
        proofs = self._proofs
        if proofs is None or not proofs.are_under_way():
            return self._tls.secure(connected)
        names = self._config.acme
        return self._tls.secure(connected, lambda hello: proofs.context_for(hello, names))

    def reload(self, config: Config) -> None:
        """Go over to what ``config`` has; raises ``CertificateError``, and all stays then."""
        self._tls.reload(_source(config), _clients(config))
        self._config, self._proofs = config, _proofs(config)

    def check(self) -> None:
        """Take a certificate whose files have changed, or that is due to be renewed."""
        try:
            if self._tls.reload_if_changed():
                self._log.info("the certificate has changed: new connections get the new one")
        except CertificateError as error:
            self._log.error("the certificate in force stays: {why}", why=str(error))

    def expiry(self) -> float:
        """When the certificate in force ends, in seconds since the epoch."""
        return self._tls.pair.chain[0].not_valid_after_utc.timestamp()

    def warnings(self) -> Sequence[str]:
        """What is wrong with the certificate in force, though it can be used."""
        return self._tls.pair.warnings(_now())

    def greeting(self, urls: Sequence[str]) -> Iterator[str]:
        """How clients come to trust a certificate of the mirror's own; nothing for another."""
        if self._config.acme and self._is_issued():
            return
        if self._config.acme:
            names = ", ".join(self._config.acme)
            yield f"until {names} has a certificate of {self._config.acme_directory}:"
        if self._config.certificate is None:
            url = next(url for url in urls if url.startswith("https:"))
            ca = _local_authority(self._config).certificate_file
            yield from trust_instructions(ca, self._config.public_url or url).splitlines()

    def _is_issued(self) -> bool:
        return self._tls.pair.certificate_file == acme_store(self._config).certificate_file


def acme_store(config: Config) -> AcmeStore:
    """Where that which an ACME server gives is kept."""
    return AcmeStore(config.data / "acme", config.acme_directory)


def _clients(config: Config) -> ClientAuthorities | None:
    if config.client_certificates == "off" or config.client_ca is None:
        return None
    return ClientAuthorities(config.client_ca, config.client_certificates == "required")


def _proofs(config: Config) -> Proofs | None:
    return acme_store(config).proofs if config.acme else None


def _source(config: Config) -> ICertificateSource:
    if config.certificate is not None and config.private_key is not None:
        return CertificateFiles(config.certificate, config.private_key)
    if config.acme:
        return AcmeCertificate(acme_store(config), _local_authority(config))
    return _local_authority(config)


def _local_authority(config: Config) -> LocalAuthority:
    hosts = {*(address.host for address in config.https), *config.acme}
    if config.public_url is not None:
        hosts.add(urlsplit(config.public_url).hostname or "")
    return LocalAuthority(config.data / "tls", machine_names(hosts), _now)


def _now() -> datetime:
    return datetime.now(timezone.utc)
