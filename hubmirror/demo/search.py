"""``/v1/search``, as Docker Hub has it: for anybody, of what is public."""

from __future__ import annotations

import json

from twisted.web.server import Request

from hubmirror.demo.front import Front
from hubmirror.demo.host import HostResource
from hubmirror.demo.sending import send_content

__all__ = ["SearchResource"]


class SearchResource(HostResource):
    """Finds repositories whose name holds ``q``; the official ones first, by their short names."""

    def __init__(self, front: Front) -> None:
        super().__init__(front.host)
        self._front = front

    async def answer(self, request: Request) -> None:
        """At most ``n`` of them."""
        term = _argument(request, b"q")
        names = [
            name
            for name in await self._front.store.repositories()
            if term in name and self._front.is_public(name)
        ]
        count = _argument(request, b"n") or "25"
        found = [_entry(name) for name in sorted(names, key=_rank)[: int(count)]]
        document = {"query": term, "num_results": len(found), "results": found}
        content = json.dumps(document).encode()
        await send_content(request, self.host, "application/json", content)


def _argument(request: Request, name: bytes) -> str:
    values: list[bytes] = (request.args or {}).get(name, [b""])
    return values[0].decode("utf-8", "replace")


def _rank(name: str) -> tuple[bool, str]:
    return not name.startswith("library/"), name


def _entry(name: str) -> dict[str, object]:
    return {
        "name": name.removeprefix("library/"),
        "description": f"The demo's {name}",
        "star_count": len(name),
        "is_official": name.startswith("library/"),
        "is_automated": False,
    }
