"""The settings of the https listeners' certificate: one's own, or an ACME server's (RFC 8555)."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from attrs import evolve

from hubmirror.config.files import certificates_file, read_secret
from hubmirror.config.setting import Setting, file_setting, switch_setting
from hubmirror.config.values import shown, text, texts
from hubmirror.upstream.url import checked_url

__all__ = ["CERTIFICATE_SETTINGS", "LETS_ENCRYPT", "host_names", "is_public_name"]

LETS_ENCRYPT: Final = "https://acme-v02.api.letsencrypt.org/directory"
#: What one certificate may name at the most, with Let's Encrypt and others.
MOST_NAMES: Final = 100

#: A host name as a certificate has it (RFC 5280, section 4.2.1.6; RFC 5890's A-labels).
_LABEL: Final = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
#: Names that are nobody's in the public DNS (RFC 2606, 6761, 6762, 8375, and ICANN's .internal).
_PRIVATE: Final = re.compile(
    r"(?:.*\.)?(?:localhost|local|internal|lan|home\.arpa|test|example|invalid)"
)


def host_names(raw: object) -> tuple[str, ...]:
    """Host names as certificates have them: lower case, A-labels, each once."""
    names = tuple(dict.fromkeys(map(_host_name, texts(raw))))
    if len(names) > MOST_NAMES:
        raise ValueError(f"they are {len(names)}, {MOST_NAMES} is the most")
    return names


def is_public_name(name: str) -> bool:
    """Whether a CA that the public trusts may know of ``name``."""
    return "." in name and not _PRIVATE.fullmatch(name)


def _host_name(written: str) -> str:
    if written.startswith("*"):
        raise ValueError(
            f"{shown(written)} needs DNS-01, which the mirror can't do: name each host"
        )
    if _is_address(written):
        raise ValueError(f"{shown(written)} is an address; certificates are for names here")
    try:
        name = written.rstrip(".").encode("idna").decode("ascii").lower()
    except UnicodeError:
        name = ""
    if len(name) > 253 or not _NAME.fullmatch(name) or name.rpartition(".")[2].isdigit():
        raise ValueError(f"{shown(written)} is not a host name")
    return name


def _is_address(written: str) -> bool:
    try:
        ip_address(written.strip("[]"))
    except ValueError:
        return False
    return True


def _directory(raw: object) -> str:
    """An https URL. What is asked there is signed, but what is told must be true."""
    url = checked_url(text(raw))
    if urlsplit(url).scheme != "https":
        raise ValueError("it is not an https URL")
    return url


def _email(raw: object) -> str | None:
    written = text(raw)
    if written and not re.fullmatch(r"[^\s@,?]+@[^\s@,?]+", written):
        raise ValueError("it is not an e-mail address")
    return written or None


def _key_id(raw: object) -> str | None:
    written = text(raw)
    if written and not re.fullmatch(r"[!-~]{1,1000}", written):
        raise ValueError("it is not one word of visible ASCII characters")
    return written or None


CERTIFICATE_SETTINGS: tuple[Setting, ...] = (
    file_setting("certificate", "The certificate chain for HTTPS (PEM), the mirror's own first."),
    file_setting("private_key", "The private key of the certificate (PEM, not encrypted)."),
    Setting(
        "acme",
        host_names,
        [],
        "The host names for which to get a certificate from an ACME server, Let's Encrypt unless"
        " another is set, whose terms you agree to by this; may recur.",
        "host names under which that server reaches this mirror, such as hub.example.org",
        is_repeatable=True,
        table_key="acme.names",
    ),
    Setting(
        "acme_email",
        _email,
        "",
        "Where the ACME server may write to, if it does.",
        "an e-mail address",
    ),
    Setting(
        "acme_directory",
        _directory,
        LETS_ENCRYPT,
        "The URL of the ACME server's directory.",
        "an https URL",
    ),
    evolve(
        file_setting(
            "acme_ca", "CA certificates (PEM) to trust for the ACME server, beside the platform's."
        ),
        check=certificates_file,
    ),
    Setting(
        "acme_eab_kid",
        _key_id,
        "",
        "The key's id by which the ACME server knows your account (external account binding).",
        "the id as the server's operator told it",
    ),
    evolve(
        file_setting("acme_eab_key_file", "A file with that key (base64url)."),
        check=read_secret,
        allowed="a file that only its owner can read, with the key as its one line",
    ),
    switch_setting(
        "https_redirect",
        "off",
        "Whether plain HTTP is answered with a redirect to https, but for this machine's own"
        " clients, health checks and ACME challenges.",
    ),
)
