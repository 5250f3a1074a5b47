"""A running Hub and a client for it."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
import treq
from attrs import frozen
from treq.client import HTTPClient
from twisted.web.client import Agent
from twisted.web.http_headers import Headers

from hubmirror.demo.accounts import Accounts
from hubmirror.demo.hub import Hub, HubSettings
from hubmirror.demo.image import DOCKER, OCI, Image, hello_image
from hubmirror.demo.store import MemoryStore

NAME = "library/hello"
PULL = f"repository:{NAME}:pull"


@frozen
class Answered:
    """A response that was read to its end."""

    status: int
    headers: Headers
    content: bytes
    #: The ``Content-Length`` of a GET, or ``UNKNOWN_LENGTH``.
    length: object

    def field(self, name: str) -> str | None:
        """The first header called ``name``."""
        values = self.headers.getRawHeaders(name)
        return values[0] if values else None


@frozen
class Client:
    """A plain HTTP client that follows nothing and keeps no connection."""

    http: HTTPClient
    hub: Hub

    async def ask(self, url: str, method: str = "GET", **fields: str) -> Answered:
        """Ask for an absolute URL, or a path at the registry; ``fields`` are headers."""
        whole = url if "://" in url else self.hub.registry_url + url
        headers = Headers({name.replace("_", "-"): [value] for name, value in fields.items()})
        response = await self.http.request(method, whole, headers=headers, allow_redirects=False)
        content = await treq.content(response)
        return Answered(response.code, response.headers, content, response.length)

    async def token(self, *scopes: str, user: str | None = None, **query: str) -> dict[str, Any]:
        """The token server's document for these scopes."""
        params = [("service", "registry.demo"), *(("scope", s) for s in scopes), *query.items()]
        headers = Headers({"Authorization": [basic(user)]} if user else {})
        response = await self.http.get(self.hub.token_url, params=params, headers=headers)
        assert response.code == 200
        document: dict[str, Any] = await treq.json_content(response)
        return document

    async def bearer(self, *scopes: str, user: str | None = None) -> str:
        """An ``Authorization`` field with a token for these scopes."""
        return "Bearer " + str((await self.token(*scopes, user=user))["token"])

    async def blob_location(self, digest: object) -> str:
        """Where the registry sends for a blob of ``NAME``."""
        authorization = await self.bearer(PULL)
        answered = await self.ask(f"/v2/{NAME}/blobs/{digest}", Authorization=authorization)
        assert answered.status == 307
        location = answered.field("Location")
        assert location is not None
        return location


def basic(user: str) -> str:
    """The Basic credentials of ``name:password``."""
    return "Basic " + base64.b64encode(user.encode()).decode()


@pytest.fixture
def image() -> Image:
    """The image that the Hub holds as ``NAME:latest``."""
    return hello_image(OCI)


@pytest.fixture
def store(image: Image) -> MemoryStore:
    """A public image in both kinds of media types, and a private one of alice's."""
    store = MemoryStore()
    store.add_image(NAME, "latest", image)
    store.add_image(NAME, "docker", hello_image(DOCKER))
    store.add_image("team/secret", "1", image)
    return store


@pytest.fixture
def settings() -> HubSettings:
    """The Hub's settings; a test module may have its own."""
    return HubSettings()


@pytest_twisted.async_yield_fixture
async def hub(reactor: Any, store: MemoryStore, settings: HubSettings) -> AsyncIterator[Hub]:
    """A running Hub, where alice's password is ``wonderland``."""
    accounts = Accounts({"alice": "wonderland"}, {"team/secret": frozenset({"alice"})})
    hub = Hub(reactor, store, accounts, settings)
    await hub.start()
    yield hub
    await hub.stop()


@pytest.fixture
def client(reactor: Any, hub: Hub) -> Client:
    """A client for the running Hub."""
    return Client(HTTPClient(Agent(reactor)), hub)
