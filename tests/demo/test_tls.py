"""A Hub that speaks TLS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from OpenSSL import SSL
from treq.client import HTTPClient
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS

from hubmirror.demo.hub import Hub
from hubmirror.demo.image import Image
from hubmirror.demo.store import MemoryStore
from hubmirror.demo.tls import ChainFiles
from tests.demo.conftest import Client
from tests.support.certificates import Authority


@pytest_twisted.ensureDeferred
async def test_all_three_hosts_speak_tls(
    reactor: Any, tmp_path: Path, store: MemoryStore, image: Image
) -> None:
    """Challenge, token, redirect and blob go over verified TLS, each on its own origin."""
    authority = Authority(tmp_path)
    certificate = authority.issue("hub")
    chain = ChainFiles.read(str(certificate), str(certificate.with_suffix(".key")))
    hub = Hub(reactor, store, context_factory=chain)
    await hub.start()
    root = Certificate.loadPEM(authority.certificate.read_bytes())
    policy = BrowserLikePolicyForHTTPS(trustRootFromCertificates([root]))
    client = Client(HTTPClient(Agent(reactor, policy)), hub)
    location = await client.blob_location(image.blobs[1].digest)
    assert (await client.ask(location)).content == image.blobs[1].source
    urls = (hub.registry_url, hub.token_url, hub.blob_url)
    assert all(url.startswith("https://127.0.0.1:") for url in urls)
    assert len(set(urls)) == 3
    await hub.stop()


def test_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    """A pair that does not fit is an error at once."""
    authority = Authority(tmp_path)
    one, other = authority.issue("one"), authority.issue("other")
    with pytest.raises(SSL.Error):
        ChainFiles.read(str(one), str(other.with_suffix(".key")))
