"""``GET /.well-known/acme-challenge/TOKEN``: an ACME server looks whether a name is ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request

from hubmirror.errors import NotFound, RegistryError, Unsupported
from hubmirror.registry.request import MirrorRequest

__all__ = ["CHALLENGE_PATH", "WELL_KNOWN", "WellKnown"]

WELL_KNOWN: Final = b".well-known"
#: Below it stand the tokens (RFC 8555, section 8.3).
CHALLENGE_PATH: Final = b"/.well-known/acme-challenge/"


class WellKnown(Resource):
    """What is below ``/.well-known/`` (RFC 8615): ``answer`` knows the challenges under way."""

    def __init__(self, answer: Callable[[str], str | None]) -> None:
        super().__init__()
        self.putChild(b"acme-challenge", _Challenges(answer))

    def render(self, request: Request) -> int:
        return _fail(request, NotFound())

    def getChild(self, _path: bytes, _request: Request) -> IResource:
        return _Answer(None)


class _Challenges(Resource):
    def __init__(self, answer: Callable[[str], str | None]) -> None:
        super().__init__()
        self._answer = answer

    def render(self, request: Request) -> int:
        return _fail(request, NotFound())

    def getChild(self, path: bytes, _request: Request) -> IResource:
        return _Answer(self._answer(path.decode("latin-1")))


class _Answer(Resource):
    isLeaf = True

    def __init__(self, answer: str | None) -> None:
        super().__init__()
        self._answer = answer

    def render(self, request: Request) -> int:
        if self._answer is None or request.postpath:
            return _fail(request, NotFound())
        if request.method not in (b"GET", b"HEAD"):
            return _fail(
                request, Unsupported("this can only be read", headers={"Allow": "GET, HEAD"})
            )
        body = self._answer.encode("ascii")
        request.setHeader("Content-Type", "application/octet-stream")
        request.setHeader("Content-Length", str(len(body)))
        request.setHeader("Cache-Control", "no-store")
        request.write(body)
        request.finish()
        return NOT_DONE_YET


def _fail(request: Request, error: RegistryError) -> int:
    cast(MirrorRequest, request).fail(error)
    return NOT_DONE_YET
