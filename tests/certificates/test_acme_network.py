"""How an ACME server is reached."""

from __future__ import annotations

from email.utils import formatdate
from pathlib import Path
from time import time

import pytest
from josepy.jwk import JWKEC
from requests import Response

from hubmirror.certificates.acme_network import Network
from hubmirror.certificates.files import CertificateError
from tests.certificates.making import ec_key


def network(ca: Path | None = None, proxy: str | None = None) -> Network:
    """One for an account that nobody knows."""
    return Network(JWKEC(key=ec_key()), ca, proxy, "test")


@pytest.mark.parametrize(
    ("status", "told", "least", "most"),
    [
        (429, "120", 120, 120),
        (503, formatdate(time() + 600, usegmt=True), 500, 601),
        (503, formatdate(time() - 600, usegmt=True), 0, 0),
    ],
    ids=["seconds", "date", "past date"],
)
def test_notes_when_to_come_again(status: int, told: str, least: float, most: float) -> None:
    """What the library's exceptions lack."""
    one = network()
    one._note(_response(status, told))
    assert one.retry_after is not None
    assert least <= one.retry_after <= most


@pytest.mark.parametrize(("status", "told"), [(200, "120"), (429, "soon"), (429, None)])
def test_notes_nothing_that_is_not_said(status: int, told: str | None) -> None:
    """A pause between two looks is none of it; the last answer counts."""
    one = network()
    one._note(_response(429, "7"))
    one._note(_response(status, told))
    assert one.retry_after is None


def test_goes_by_the_proxy_that_is_set_and_by_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment says is the configuration's to read."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    merged = network().session.merge_environment_settings("https://a", {}, None, None, None)
    assert dict(merged["proxies"]) == {}
    session = network(proxy="http://u:p@127.0.0.1:2").session
    merged = session.merge_environment_settings("https://a", {}, None, None, None)
    assert merged["proxies"]["https"] == "http://u:p@127.0.0.1:2"


def test_a_file_of_cas_that_can_not_be_used(tmp_path: Path) -> None:
    """It was right at the start, and is not any more."""
    with pytest.raises(CertificateError, match="can't be trusted"):
        network(tmp_path / "missing")


def _response(status: int, told: str | None) -> Response:
    response = Response()
    response.status_code = status
    if told is not None:
        response.headers["Retry-After"] = told
    return response
