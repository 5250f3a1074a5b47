"""``GET /openapi.json``: the monitoring endpoints, described for programs (OpenAPI 3.1)."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from twisted.web.server import Request

from hubmirror.monitor.guarded import ReadOnly

__all__ = ["OpenApi"]

_DOCUMENT: Final = files(__package__).joinpath("openapi.json").read_bytes()


class OpenApi(ReadOnly):
    """The document. It is for everybody, other sites' pages too: it tells nothing of the mirror."""

    def read(self, request: Request) -> bytes:
        """The same for all."""
        request.setHeader("Content-Type", "application/json")
        return _DOCUMENT
