"""How an ACME server is reached: whom to trust, by which proxy, and how long to wait."""

from __future__ import annotations

import ssl
from email.utils import parsedate_to_datetime
from pathlib import Path
from time import time
from typing import Any, Final

from acme.client import ClientNetwork
from josepy.jwa import ES256
from josepy.jwk import JWK
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter

from hubmirror.certificates.files import CertificateError

__all__ = ["Network"]

#: How long the server may take to let us connect, and to send nothing, in seconds.
TIMEOUT: Final = 20
#: Statuses behind which ``Retry-After`` says when to come again (RFC 9110, section 10.2.3).
_BUSY: Final = (429, 503)


class Network(ClientNetwork):
    """The library's, with the platform's trust and not certifi's, and ``ca`` beside it.

    ``proxy`` is a URL, its credentials within. What the environment says of proxies counts not.
    Raises ``CertificateError`` where ``ca`` can't be used.
    """

    def __init__(self, key: JWK, ca: Path | None, proxy: str | None, user_agent: str) -> None:
        super().__init__(key, alg=ES256, user_agent=user_agent, timeout=TIMEOUT)
        self.retry_after: float | None = None
        self.session.trust_env = False
        self.session.proxies = {} if proxy is None else {"https": proxy, "http": proxy}
        self.session.mount("https://", _Trusting(_trust(ca)))
        self.session.hooks["response"].append(self._note)

    def _note(self, response: Response, *_: object, **__: object) -> None:
        """Keep what an error says of when to come again: the library's exceptions lack it."""
        told = response.headers.get("Retry-After") if response.status_code in _BUSY else None
        self.retry_after = None if told is None else _seconds(told)


class _Trusting(HTTPAdapter):
    """Connections under a context of our own."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, **kwargs, ssl_context=self._context)

    def build_connection_pool_key_attributes(
        self, request: PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        """As ever, but that no file of certificates is named beside the context."""
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {"cert_reqs": pool["cert_reqs"]}

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:  # noqa: ARG002
        """As ``build_connection_pool_key_attributes``."""
        conn.cert_reqs = "CERT_REQUIRED"


def _trust(ca: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca is not None:
        try:
            context.load_verify_locations(ca)
        except (OSError, ssl.SSLError) as error:
            raise CertificateError(f"{ca}: can't be trusted: {error}") from error
    return context


def _seconds(told: str) -> float | None:
    """A ``Retry-After``: seconds, or a date."""
    try:
        return float(int(told))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(told).timestamp() - time())
    except ValueError:
        return None
