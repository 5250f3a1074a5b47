"""``GET /``: the mirror's figures, live, and how each client is set up for this very host.

The figures themselves come from ``/quota`` and below, asked for by the page's own script, so
whoever may not see them there does not see them here.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from hashlib import sha256
from importlib.resources import files
from typing import Final

from twisted.internet.defer import Deferred
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from twisted.web.template import Element, Tag, XMLString, flattenString, renderer

from hubmirror.clients.address import DOCKER_HUB
from hubmirror.clients.catalogue import ClientSetup, client_setups

__all__ = ["Page"]


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


def _source(text: str) -> str:
    """The CSP source that stands for the inline element with this text."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


_STYLE: Final = _read("page.css")
_SCRIPT: Final = _read("page.js")
_TEMPLATE: Final = XMLString(_read("page.xml"))

#: Nothing but the page's own text runs, and it speaks to nobody but its own origin. Trusted
#: types forbid to make HTML of a string, whatever a name in the figures looks like.
_POLICY: Final = "; ".join(
    [
        "default-src 'none'",
        f"style-src {_source(_STYLE)}",
        f"script-src {_source(_SCRIPT)}",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
)

_HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Vary": "Host",
}


class Page(Resource):
    """The page at ``/`` for a person who opens the mirror's address in a browser.

    ``upstream`` is the name by which the page tells whose mirror this is. ``public_url`` tells
    by which URL (a scheme and an authority) clients pull, of the request for the page; None is
    a listener by which nobody pulls, and the page then has no set-up. ``registries`` are what the
    mirror has, the default one first.
    """

    isLeaf = False

    def __init__(
        self,
        upstream: str,
        public_url: Callable[[Request], str | None],
        registries: tuple[str, ...] = (DOCKER_HUB,),
    ) -> None:
        super().__init__()
        self._upstream = upstream
        self._public_url = public_url
        self._registries = registries

    def render_GET(self, request: Request) -> int:
        for name, value in _HEADERS.items():
            request.setHeader(name, value)
        element = _PageElement(self._upstream, self._public_url(request), self._registries)
        written: Deferred[bytes] = flattenString(request, element)
        written.addCallback(_with_code).addCallback(_send, request)
        written.addErrback(request.processingFailed)
        return NOT_DONE_YET


def _send(page: bytes, request: Request) -> None:
    request.setHeader("Content-Length", str(len(page)))
    request.write(page)
    request.finish()


def _with_code(page: bytes) -> bytes:
    """``page`` with its style and script, which the template would have escaped.

    No text from elsewhere can hold the empty elements: templates escape it.
    """
    for name, text in ((b"style", _STYLE), (b"script", _SCRIPT)):
        page = page.replace(b"></" + name + b">", b">" + text.encode() + b"</" + name + b">", 1)
    return b"<!DOCTYPE html>\n" + page


class _PageElement(Element):
    loader = _TEMPLATE

    def __init__(self, upstream: str, url: str | None, registries: tuple[str, ...]) -> None:
        super().__init__()
        self._upstream = upstream
        self._url = url
        self._registries = registries

    @renderer
    def facts(self, _request: object, tag: Tag) -> Tag:
        return tag.fillSlots(upstream=self._upstream, host=_host(self._url) or "hubmirror")

    @renderer
    def setup(self, _request: object, tag: Tag) -> Tag | str:
        return "" if self._url is None else tag.fillSlots(pull_host=_host(self._url))

    @renderer
    def clients(self, _request: object, tag: Tag) -> Iterator[Tag]:
        for setup in client_setups(self._url or "", self._registries):
            yield tag.clone().fillSlots(**_slots(setup))


def _host(url: str | None) -> str:
    return (url or "").partition("://")[2]


def _slots(setup: ClientSetup) -> dict[str, str]:
    return {
        "key": setup.key,
        "client": setup.client,
        "file": setup.file,
        "text": setup.text,
        "before": "Then " if setup.then else "It is read with the next pull.",
        "then": setup.then or "",
    }
