"""What a worker tells the keeper each second: by whom was spent what, and what was asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping

from attrs import astuple
from twisted.internet.defer import Deferred
from twisted.web.resource import Resource
from twisted.web.server import Request

from hubmirror.naming import Digest, parse_digest
from hubmirror.quota.quota import Quota, Spending

__all__ = ["Reports", "written"]


def written(spendings: Iterable[Spending], touched: Mapping[Digest, float]) -> bytes:
    """A report: ``touched`` is when kept blobs were asked for, in seconds since the epoch."""
    report = {
        "spent": [astuple(one) for one in spendings],
        "touched": {str(digest): when for digest, when in touched.items()},
    }
    return json.dumps(report).encode()


class Reports(Resource):
    """Where they come in, by POST; ``touch`` is the index's."""

    isLeaf = True

    def __init__(
        self,
        quota: Quota,
        touch: Callable[[Iterable[Digest], float], Deferred[None]],
    ) -> None:
        super().__init__()
        self._quota = quota
        self._touch = touch

    def render_POST(self, request: Request) -> bytes:
        report = json.loads(request.content.read() if request.content else b"")
        self._quota.absorb(Spending(*one) for one in report["spent"])
        for text, when in report["touched"].items():
            self._touch([parse_digest(text)], when)
        request.setResponseCode(204)
        return b""
