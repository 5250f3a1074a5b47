"""The certificate that a server shows, as one of its clients sees it."""

from __future__ import annotations

import socket
import ssl
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from hubmirror.doctor.findings import Finding, fail, ok, warn

__all__ = ["shown_certificate"]

_SOON: Final = timedelta(days=14)


def shown_certificate(url: str, ca: Path | None, now: datetime, seconds: float) -> list[Finding]:
    """Whether a client trusts the certificate of ``url``, and until when. This blocks.

    ``ca`` counts beside the machine's own trust. A server that can't be reached is nobody's
    certificate: nothing is found. Raises nothing.
    """
    parts = urlsplit(url)
    if parts.scheme != "https":
        return [ok("certificate", f"{url} has no TLS, so no certificate is needed")]
    host, port = parts.hostname or "", parts.port or 443
    try:
        context = ssl.create_default_context()
        if ca is not None:
            context.load_verify_locations(ca)
        with (
            socket.create_connection((host, port), seconds) as connection,
            context.wrap_socket(connection, server_hostname=host) as secure,
        ):
            ends = ssl.cert_time_to_seconds(str((secure.getpeercert() or {})["notAfter"]))
    except ssl.SSLCertVerificationError as error:
        return [
            fail(
                "certificate",
                f"the certificate of {host} is not trusted: {error.verify_message}",
                f"hubmirror setup docker --host {url} --ca FILE, with the mirror's CA"
                " (tls/ca.pem in its data folder); or its certificate is for another name",
            )
        ]
    except (OSError, KeyError, ValueError):
        return []
    left = datetime.fromtimestamp(ends, timezone.utc) - now
    if left < _SOON:
        return [warn("certificate", f"that of {host} ends in {left.days} days", "renew it")]
    return [ok("certificate", f"that of {host} is trusted, and good for {left.days} days")]
