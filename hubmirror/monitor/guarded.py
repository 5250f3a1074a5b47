"""What the monitoring endpoints share: they are read, most of them by those who may watch alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol, cast

from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request

from hubmirror.errors import NotFound, RegistryError, Unsupported
from hubmirror.monitor.access import Access, View

__all__ = ["Guarded", "GuardedPages", "OpenPage", "ReadOnly"]

_METHODS: Final = (b"GET", b"HEAD")


class _CanFail(Protocol):
    """What a request can do, see ``registry/request.py``."""

    def fail(self, error: RegistryError) -> None: ...


class ReadOnly(Resource):
    """Answers GET and HEAD by ``read``; other methods are a 405, paths below it a 404, in JSON."""

    def render(self, request: Request) -> int:
        """Answer, or write the error that says why not."""
        try:
            if request.method not in _METHODS:
                raise Unsupported("this can only be read", headers={"Allow": "GET, HEAD"})
            body = self.read(request)
        except RegistryError as error:
            cast(_CanFail, request).fail(error)
            return NOT_DONE_YET
        if isinstance(body, bytes):
            request.setHeader("Content-Length", str(len(body)))
            request.write(body)  # nothing of it leaves where a HEAD asked
            request.finish()
        return NOT_DONE_YET

    def read(self, request: Request) -> bytes | int:
        """The body, or ``NOT_DONE_YET``. Raises a ``RegistryError`` where there is none."""
        raise NotImplementedError

    def getChild(self, _path: bytes, _request: Request) -> IResource:
        return _Missing()


class OpenPage(ReadOnly):
    """Any resource, for everybody to read."""

    isLeaf = True

    def __init__(self, page: Resource) -> None:
        super().__init__()
        self._page = page

    def read(self, request: Request) -> bytes | int:
        """What the resource renders."""
        body: bytes | int = self._page.render(request)
        return body


class Guarded(ReadOnly):
    """Asks ``access`` before it shows anything. Each endpoint says in ``show`` what that is."""

    def __init__(self, access: Access) -> None:
        super().__init__()
        self._access = access

    def render(self, request: Request) -> int:
        """As any page, but a page of another origin reads neither it nor why it may not."""
        _keep_from_others(request)
        return super().render(request)

    def read(self, request: Request) -> bytes | int:
        """What the viewer may see."""
        return self.show(request, self._access.admit(request))

    def show(self, request: Request, view: View) -> bytes | int:
        """The body for one who may see ``view``, or ``NOT_DONE_YET``.

        Raises a ``RegistryError`` where the request is wrong.
        """
        raise NotImplementedError


class GuardedPages(Guarded):
    """Any resource, behind the guard: for each view that may see it, the one that shows it."""

    isLeaf = True

    def __init__(self, access: Access, pages: Mapping[View, Resource]) -> None:
        super().__init__(access)
        self._pages = pages

    def show(self, request: Request, view: View) -> bytes | int:
        """What the view's own resource renders."""
        body: bytes | int = self._pages[view].render(request)
        return body


class _Missing(Resource):
    isLeaf = True

    def render(self, request: Request) -> int:
        cast(_CanFail, request).fail(NotFound("no such endpoint: see /openapi.json"))
        return NOT_DONE_YET


def _keep_from_others(request: Request) -> None:
    """A page of another origin reads nothing of this, and no cache keeps it.

    What else the mirror says, any page may read: see ``registry/responses.py``.
    """
    for name in ("Access-Control-Allow-Origin", "Access-Control-Expose-Headers"):
        request.responseHeaders.removeHeader(name)
    request.setHeader("Cross-Origin-Resource-Policy", "same-origin")
    request.setHeader("Cache-Control", "no-store")
