"""``GET /quota``: the day's count, for people and programs."""

from __future__ import annotations

import json

from twisted.web.resource import Resource
from twisted.web.server import Request

from hubmirror.quota.daily import DailyQuota

__all__ = ["QuotaResource"]


class QuotaResource(Resource):
    """``{"limit", "used", "remaining", "reset"}``; ``reset`` is in RFC 3339.

    Without a limit, ``limit`` and ``remaining`` are null.
    """

    isLeaf = True

    def __init__(self, quota: DailyQuota) -> None:
        super().__init__()
        self._quota = quota

    def render_GET(self, request: Request) -> bytes:
        request.setHeader("Content-Type", "application/json")
        request.setHeader("Cache-Control", "no-store")
        return json.dumps(self._quota.status().as_json()).encode() + b"\n"
