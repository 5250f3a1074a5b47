"""``GET /quota``: the day's count, for people and programs."""

from __future__ import annotations

import json
from collections.abc import Callable

from twisted.web.resource import Resource
from twisted.web.server import Request

from hubmirror.quota.daily import DailyQuota
from hubmirror.tokens.credentials import LoginStatus

__all__ = ["QuotaResource"]


class QuotaResource(Resource):
    """``{"limit", "used", "remaining", "reset"}``; ``reset`` is in RFC 3339.

    Without a limit, ``limit`` and ``remaining`` are null. Where the mirror has an account of
    its own upstream, ``login`` tells how that stands (``ok`` is null until it was tried).
    """

    isLeaf = True

    def __init__(self, quota: DailyQuota, login: Callable[[], LoginStatus] | None = None) -> None:
        super().__init__()
        self._quota = quota
        self._login = login

    def render_GET(self, request: Request) -> bytes:
        request.setHeader("Content-Type", "application/json")
        request.setHeader("Cache-Control", "no-store")
        told = self._quota.status().as_json()
        if self._login is not None:
            status = self._login()
            told["login"] = {"ok": status.ok, "message": status.message}
        return json.dumps(told).encode() + b"\n"
