"""``GET /``: what this is, and how docker and its kin are set up for this very host."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from importlib.resources import files
from typing import Final

from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from twisted.web.template import Element, Tag, XMLString, renderElement, renderer, tags

from hubmirror.quota.daily import DailyQuota

__all__ = ["Page"]

_STYLE: Final = files(__package__).joinpath("page.css").read_text()
_TEMPLATE: Final = XMLString(files(__package__).joinpath("page.xml").read_text())
_POLICY: Final = (
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; "
    f"style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'"
)


class Page(Resource):
    """The page at ``/`` for a person who opens the mirror's address in a browser.

    ``public_url`` tells by which URL the browser knows this mirror.
    """

    isLeaf = False

    def __init__(
        self, quota: DailyQuota, upstream: str, public_url: Callable[[Request], str]
    ) -> None:
        super().__init__()
        self._quota = quota
        self._upstream = upstream
        self._public_url = public_url

    def render_GET(self, request: Request) -> int:
        request.setHeader("Content-Type", "text/html; charset=utf-8")
        request.setHeader("Content-Security-Policy", _POLICY)
        request.setHeader("Referrer-Policy", "no-referrer")
        request.setHeader("Cache-Control", "no-store")
        request.setHeader("Vary", "Host")
        element = _PageElement(self._facts(self._public_url(request)))
        renderElement(request, element, doctype=b"<!DOCTYPE html>")
        return NOT_DONE_YET

    def _facts(self, url: str) -> dict[str, str]:
        status = self._quota.status()
        return {
            "host": url.partition("://")[2],
            "upstream": self._upstream,
            "used": f"{status.used:,}",
            "of": "today" if status.remaining is None else f"of {status.limit:,} today",
            "reset": f"{status.reset:%Y-%m-%d %H:%M} UTC",
            **client_setup(url),
        }


def client_setup(url: str) -> dict[str, str]:
    """What each client's configuration holds to pull Docker Hub's images through ``url``."""
    scheme, _, host = url.partition("://")
    daemon: dict[str, list[str]] = {"registry-mirrors": [url]}
    insecure = ""
    if scheme == "http":
        insecure = "insecure = true\n"
        if not host.startswith(("127.", "localhost", "[::1]")):  # those docker trusts anyway
            daemon["insecure-registries"] = [host]
    return {
        "daemon_json": json.dumps(daemon, indent=2),
        "hosts_toml": (
            'server = "https://registry-1.docker.io"\n\n'
            f'[host."{url}"]\ncapabilities = ["pull", "resolve"]\n'
        ),
        "registries_conf": (
            '[[registry]]\nlocation = "docker.io"\n\n'
            f'[[registry.mirror]]\nlocation = "{host}"\n{insecure}'
        ),
    }


class _PageElement(Element):
    loader = _TEMPLATE

    def __init__(self, facts: dict[str, str]) -> None:
        super().__init__()
        self._facts = facts

    @renderer
    def facts(self, _request: object, tag: Tag) -> Tag:
        return tag.fillSlots(**self._facts)

    @renderer
    def style(self, _request: object, _tag: Tag) -> Tag:
        return tags.style(_STYLE)
