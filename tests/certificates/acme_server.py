"""An ACME server for tests, on loopback under TLS: as much of RFC 8555 as a client sees.

It verifies no signature, and does whatever a test wants: a real one does the rest in
``tests/integration/test_acme.py``.
"""

from __future__ import annotations

import json
import ssl
from base64 import urlsafe_b64decode
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from tests.certificates.making import make
from tests.support.certificates import Authority

__all__ = ["AcmeServerForTests", "problem", "token"]

#: A response: its status, its JSON or text, its own header fields.
Response = tuple[int, Any, dict[str, str]]


def token(at: object) -> str:
    """The token of the name at ``at``: 32 bytes, base64url."""
    return f"token-{at}".ljust(43, "A")


def problem(code: str, detail: str, status: int = 403, **headers: str) -> Response:
    """An error of RFC 8555, section 6.7."""
    told = {"type": f"urn:ietf:params:acme:error:{code}", "detail": detail}
    return status, told, {"Content-Type": "application/problem+json", **headers}


class AcmeServerForTests:
    """``asked`` is what came: (path, payload). ``instead`` answers a path otherwise, once for

    each response in its list. ``validation`` is what is wrong with the proof, ``challenges`` what
    it offers to prove a name by, and ``window`` when it would have a certificate renewed.
    """

    def __init__(self, folder: Path) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.instead: dict[str, list[Response]] = {}
        self.validation: dict[str, str] | None = None
        self.challenges = ["http-01"]
        self.window: tuple[datetime, datetime] | None = None
        self.life = timedelta(days=90)
        self.ca = Authority(folder)
        self._issuer = make("issuer", ca=True)
        self._known = False
        self._names: list[str] = []
        self._issued = b""
        self._server = self._listening(self.ca.issue("acme"))
        self.url = f"https://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def directory(self) -> str:
        """Where a client begins."""
        return f"{self.url}/directory"

    def paths(self) -> list[str]:
        """Which were asked for, in their order."""
        return [path for path, _ in self.asked]

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str, payload: Any) -> Response:
        """What a request gets."""
        self.asked.append((path, payload))
        if self.instead.get(path):
            return self.instead[path].pop(0)
        name = path.split("/")[1]
        answer: Response = getattr(self, f"_{name}")(payload)
        return answer

    def _directory(self, _: Any) -> Response:
        paths = {"newNonce": "nonce", "newAccount": "account", "newOrder": "order"}
        told = {key: f"{self.url}/{path}" for key, path in paths.items()}
        if self.window is not None:
            told["renewalInfo"] = f"{self.url}/renewal"
        return 200, {**told, "revokeCert": f"{self.url}/revoke"}, {}

    def _nonce(self, _: Any) -> Response:
        return 200, "", {}

    def _account(self, _: Any) -> Response:
        status, self._known = (200 if self._known else 201), True
        return status, {"status": "valid"}, {"Location": f"{self.url}/account/1"}

    def _order(self, payload: Any) -> Response:
        if payload:
            self._names = [one["value"] for one in payload["identifiers"]]
        status = "valid" if self._issued else "ready"
        told = {
            "status": status,
            "identifiers": [{"type": "dns", "value": name} for name in self._names],
            "authorizations": [f"{self.url}/authz/{at}" for at in range(len(self._names))],
            "finalize": f"{self.url}/finalize",
            **({"certificate": f"{self.url}/certificate"} if self._issued else {}),
        }
        return 201, told, {"Location": f"{self.url}/order/1"}

    def _authz(self, _: Any) -> Response:
        at = int(self.asked[-1][0].rpartition("/")[2])
        has_looked = f"/challenge/{at}" in self.paths()
        status = "pending" if not has_looked else "invalid" if self.validation else "valid"
        challenges = [
            {
                "type": kind,
                "url": f"{self.url}/challenge/{at}",
                "token": token(at),
                "status": status,
                **({"error": self.validation} if has_looked and self.validation else {}),
            }
            for kind in self.challenges
        ]
        identifier = {"type": "dns", "value": self._names[at]}
        told = {"status": status, "identifier": identifier, "challenges": challenges}
        return 200, told, {}

    def _challenge(self, _: Any) -> Response:
        at = self.asked[-1][0].rpartition("/")[2]
        told = {"type": self.challenges[0], "url": f"{self.url}/challenge/{at}"}
        told["token"] = token(at)
        return 200, told, {"Link": f'<{self.url}/authz/{at}>;rel="up"'}

    def _finalize(self, payload: Any) -> Response:
        request = x509.load_der_x509_csr(_decoded(payload["csr"]))
        now = datetime.now(timezone.utc)
        subject = x509.SubjectAlternativeName([x509.DNSName(name) for name in self._names])
        key = self._issuer.key.public_key()
        leaf = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self._issuer.certificate.subject)
            .public_key(request.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now)
            .not_valid_after(now + self.life)
            .add_extension(subject, critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key), critical=False)
            .sign(self._issuer.key, hashes.SHA256())
        )
        self._issued = leaf.public_bytes(Encoding.PEM) + self._issuer.pem
        return self._order(None)

    def _certificate(self, _: Any) -> Response:
        issued, self._issued = self._issued, b""
        return 200, issued.decode(), {"Content-Type": "application/pem-certificate-chain"}

    def _renewal(self, _: Any) -> Response:
        assert self.window is not None
        start, end = (moment.isoformat().replace("+00:00", "Z") for moment in self.window)
        told = {"suggestedWindow": {"start": start, "end": end}}
        return 200, told, {"Retry-After": "21600"}

    def _listening(self, certificate: Path) -> ThreadingHTTPServer:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = False
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        server.socket = context.wrap_socket(server.socket, server_side=True)
        return server


def _handler(acme: AcmeServerForTests) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._respond(*acme.answer(self.path, None))

        def do_HEAD(self) -> None:
            self._respond(*acme.answer(self.path, None))

        def do_POST(self) -> None:
            told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            payload = _decoded(told["payload"])
            self._respond(*acme.answer(self.path, json.loads(payload) if payload else None))

        def _respond(self, status: int, told: Any, headers: dict[str, str]) -> None:
            body = (told if isinstance(told, str) else json.dumps(told)).encode()
            self.send_response(status)
            fields = {"Content-Type": "application/json", "Replay-Nonce": "bm9uY2U", **headers}
            for name, value in {**fields, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    return Handler


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
