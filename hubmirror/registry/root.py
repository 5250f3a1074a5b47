"""The tree of resources: the API, the pages, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET

from hubmirror.errors import NotFound
from hubmirror.registry.api import Api
from hubmirror.registry.request import MirrorRequest

__all__ = ["Root"]

#: What answers for itself, OPTIONS included.
_API: Final = (b"v2", b"token")


class Root(Resource):
    """Children by the first segment of their path; ``otherwise`` answers for any other: without

    it, that is a 404 in JSON. OPTIONS on a path that is no part of the API is answered here: 204.
    ``api`` is whom the channel may ask for what is below ``/v2/`` without the tree.
    """

    def __init__(
        self, children: Mapping[bytes, IResource], otherwise: IResource | None = None
    ) -> None:
        super().__init__()
        self._otherwise = otherwise or _Missing()
        api = children.get(b"v2")
        self.api = api if isinstance(api, Api) else None
        for name, child in children.items():
            self.putChild(name, child)

    def getChildWithDefault(self, path: bytes, request: MirrorRequest) -> IResource:
        if request.method == b"OPTIONS" and path not in _API:
            return _Preflight()
        child: IResource = super().getChildWithDefault(path, request)
        return child

    def getChild(self, _path: bytes, _request: MirrorRequest) -> IResource:
        return self._otherwise


class _Preflight(Resource):
    isLeaf = True

    def render_OPTIONS(self, request: MirrorRequest) -> int:
        request.preflight()
        request.setResponseCode(204)
        request.finish()
        return NOT_DONE_YET


class _Missing(Resource):
    isLeaf = True

    def render(self, request: MirrorRequest) -> int:
        request.fail(NotFound())
        return NOT_DONE_YET
