"""Certificates that clients show: whose they may be, and which user that is."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any, Final

from attrs import frozen
from cryptography import x509
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from OpenSSL.crypto import X509, X509StoreFlags

from hubmirror.certificates.files import CertificateError
from hubmirror.certificates.sources import stamp_of

__all__ = ["ClientAuthorities", "user_of"]

#: The longest name of a user, in characters.
MAX_USER: Final = 255
#: What no certificate's user may begin with: those are the mirror's own robots.
ROBOTS: Final = "robot$"


@frozen
class ClientAuthorities:
    """The CA certificates in ``path``, of which clients show certificates: all must (

    ``is_required``), or may. A certificate that is not one of theirs ends the handshake.
    """

    path: Path
    is_required: bool

    def load(self) -> tuple[x509.Certificate, ...]:
        """The CA certificates. Raises ``CertificateError``."""
        try:
            return tuple(x509.load_pem_x509_certificates(self.path.read_bytes()))
        except OSError as error:
            raise CertificateError(f"{self.path}: can't be read: {error.strerror}") from error
        except ValueError:
            raise CertificateError(f"{self.path}: holds no certificates in PEM") from None

    def stamp(self) -> Hashable:
        """What tells one state of the file from another."""
        return stamp_of(self.path)

    def ask(self, context: SSL.Context, authorities: tuple[x509.Certificate, ...]) -> None:
        """Have ``context`` ask clients for certificates of ``authorities``."""
        store = context.get_cert_store()
        assert store is not None  # noqa: S101 - each context has one
        # So that an intermediate CA can be trusted without its root.
        store.set_flags(X509StoreFlags.PARTIAL_CHAIN)
        for authority in authorities:
            store.add_cert(X509.from_cryptography(authority))
            context.add_client_ca(authority)
        required = SSL.VERIFY_FAIL_IF_NO_PEER_CERT if self.is_required else 0
        context.set_verify(SSL.VERIFY_PEER | required)


def user_of(what: str, certificate: Any) -> str | None:
    """The user that ``certificate`` (pyOpenSSL's, verified) names; None where it names none.

    ``what`` is where: the subject's common name (``cn``), which has to be the only one, or the
    first ``email``, ``dns`` or ``uri`` of its subjectAltName (RFC 5280, section 4.2.1.6).
    """
    try:
        names = _NAMES[what](certificate.to_cryptography())
    except (ValueError, x509.ExtensionNotFound):
        return None
    name = names[0] if names and (what != "cn" or len(names) == 1) else ""
    is_usable = 0 < len(name) <= MAX_USER and name.isprintable() and not name.startswith(ROBOTS)
    return name if is_usable else None


def _common_names(certificate: x509.Certificate) -> list[str]:
    attributes = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return [str(attribute.value) for attribute in attributes]


def _alternatives(kind: Any) -> Callable[[x509.Certificate], list[str]]:
    def names(certificate: x509.Certificate) -> list[str]:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        return list(map(str, found.value.get_values_for_type(kind)))

    return names


_NAMES: Final[Mapping[str, Callable[[x509.Certificate], list[str]]]] = {
    "cn": _common_names,
    "email": _alternatives(x509.RFC822Name),
    "dns": _alternatives(x509.DNSName),
    "uri": _alternatives(x509.UniformResourceIdentifier),
}
