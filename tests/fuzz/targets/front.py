"""The whole mirror, as a client sees it that sends anything at all.

The first byte chooses one of the mirrors below, the second how large the pieces are in which the
rest comes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from hubmirror.access.users import hashed
from hubmirror.config import Upstream
from hubmirror.registry.well_known import WELL_KNOWN, WellKnown
from tests.fuzz.mirrors import Mirrors
from tests.fuzz.target import Target, failures_told
from tests.mirror.hub import ACCEPT, Hub, digest_of
from tests.registry.edge import Edge, Wire, hang_up

#: What must never come out.
SECRET: Final = b"what-nobody-may-see"
#: One input is sent in so many pieces at most.
MOST_PIECES: Final = 64

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
_RULES: Final = """
trusted_proxies = ["192.0.2.0/24"]
search_upstream = "https://search.example"
networks.office = ["10.0.0.0/8"]
[access]
deny = ["198.51.100.0/24"]
[[access.rule]]
action = "block"
repositories = ["docker.io/team/hidden", "ghcr.io/team/hidden", "**/evil/**"]
message = "ask the platform team"
[[access.rule]]
action = "deny"
repositories = ["docker.io/team/*"]
tags = ["dev*"]
networks = ["office"]
"""
#: Open; with rules; with rules and users.
_KINDS: Final = 3


def run(data: bytes) -> None:
    """No 500, nothing logged as a failure, nothing of what is hidden, in a bounded time."""
    kind, step = (*data[:2], 0, 0)[:2]
    with failures_told():
        edge = _MIRRORS.one(kind % _KINDS)
        protocol, wire = edge.connect()
        for piece in _pieces(data[2:], step):
            if not wire.hung_up:
                protocol.dataReceived(piece)
                edge.settle()
        hang_up(protocol)
        edge.settle()
    _look_at(wire)


def _look_at(wire: Wire) -> None:
    said: bytes = wire.value()
    assert not said or said.startswith(b"HTTP/1."), said[:100]
    assert b"500" not in _STATUS.findall(said), said[:2000]
    assert SECRET not in said


def _pieces(data: bytes, step: int) -> list[bytes]:
    size = max(step, len(data) // MOST_PIECES + 1) if step else len(data) + 1
    return [data[at : at + size] for at in range(0, len(data), size)]


def _made(kind: int, folder: Path) -> Edge:
    settings: dict[str, Any] = {}
    (folder / "hubmirror.toml").write_text(_RULES if kind else "")
    (folder / "data").mkdir()
    if kind == 2:
        users = folder / "users"
        users.write_bytes(b"alice:%b\n" % hashed(b"password", cost=4))
        users.chmod(0o600)
        settings = {"access_login": "required", "access_users": str(users)}
    edge = Edge(
        config=str(folder / "hubmirror.toml"),
        folder=folder / "data",
        remembers=True,
        pages={WELL_KNOWN: WellKnown({"token-1": "answer"}.get)},
        upstreams=(Upstream("ghcr.io", "https://ghcr.example", hosts=("ghcr.mirror.example",)),),
        allow_upstreams=("*.allowed.example",),
        **settings,
    )
    hub = Hub(edge)
    for name in ("library/busybox", "team/app"):
        hub.put_image(name, "latest", _LAYER)
    # Without rules only the upstream hides it; with them it is open there, and hidden here.
    hub.put_image("team/hidden", "latest", SECRET, readers="" if kind else "alice")
    hub.put_image("a/evil/b", "latest", SECRET, readers="" if kind else "alice")
    edge.upstream.answer = _forgiving(edge.upstream.answer)
    return edge


def _forgiving(answer: Callable[[Any], bytes | int]) -> Callable[[Any], bytes | int]:
    """An upstream that has not what ``answer`` knows nothing of."""

    def answered(request: Any) -> bytes | int:
        try:
            return answer(request)
        except (ValueError, LookupError):
            request.setResponseCode(404)
            return b"{}"

    return answered


_LAYER: Final = b"a layer"
_MIRRORS: Final = Mirrors(_made)

_HOST = b"Host: mirror.example:5000\r\n"
_TOKEN = b"Authorization: Bearer alice:library/busybox\r\n"
_LOGIN = b"Authorization: Basic YWxpY2U6cGFzc3dvcmQ=\r\n"
_GET = b"GET %b HTTP/1.1\r\n" + _HOST + ACCEPT.encode() + b"\r\n"
_BLOB = b"/v2/%b/blobs/" + digest_of(SECRET).encode()
_PATHS = (
    *(b"/v2/", b"/v2/library/busybox/manifests/latest", b"/v2/team/hidden/manifests/latest"),
    *(b"/v2/team/app/blobs/" + digest_of(_LAYER).encode(), _BLOB % b"team/app"),
    *(_BLOB % b"team/hidden", _BLOB % b"ghcr.io/a/evil/b", b"/v2/busybox/tags/list?n=5&last=a"),
    *(b"/v2/_catalog?n=1", b"/v2/ghcr.io/team/hidden/manifests/latest", b"/v1/search?q=a&n=3"),
    *(b"/v2/x/manifests/latest?ns=a.allowed.example", b"/image/team/hidden.tar", b"/v1/_ping"),
    *(b"/image/busybox:latest.json", b"/token?service=hub&scope=repository:team/hidden:pull"),
    *(b"/token/ghcr.io?scope=repository:a/b:pull", b"/.well-known/acme-challenge/token-1"),
    b"/v2/busybox/referrers/" + digest_of(_LAYER).encode() + b"?artifactType=x",
)
_FORM = b"grant_type=password&username=alice&password=password&scope=repository:team/app:pull"
_REQUESTS = (
    *(_GET % path + b"\r\n" for path in _PATHS),
    *(_GET % path + (_TOKEN, _LOGIN)[at % 2] + b"\r\n" for at, path in enumerate(_PATHS)),
    b"POST /token HTTP/1.1\r\n"
    + _HOST
    + b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n" % len(_FORM)
    + _FORM,
    b"POST /token HTTP/1.1\r\n"
    + _HOST
    + b"Transfer-Encoding: chunked\r\n\r\n3\r\na=b\r\n0\r\n\r\n",
    b"HEAD /v2/a/manifests/b HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\n" + _HOST + b"\r\n",
    _GET % (b"/v2/team/app/blobs/" + digest_of(_LAYER).encode()) + b"Range: bytes=1-2\r\n\r\n",
)
TARGET = Target(
    run,
    (
        *(b"\0\0" + request for request in _REQUESTS),
        *(b"\1\7" + request for request in _REQUESTS),
        *(b"\2\0" + request for request in _REQUESTS),
        *(bytes((kind, 0)) + b"".join(_REQUESTS[kind::4]) for kind in range(3)),
    ),
    (
        *_PATHS,
        *_REQUESTS[:4],
        *(_TOKEN, _LOGIN, _HOST, b"Host: ghcr.mirror.example\r\n", b"Range: bytes=0-\r\n"),
        *(b"X-Forwarded-For: 10.0.0.1\r\n", b"Forwarded: for=198.51.100.1;host=x\r\n"),
        *(b'If-None-Match: "x"\r\n', b"If-Range: x\r\n", b"Transfer-Encoding: chunked\r\n"),
        *(b"Content-Length: 5\r\n", b"Expect: 100-continue\r\n", b"Connection: close\r\n"),
        *(b"HTTP/1.0", b"HEAD ", b"POST ", b"OPTIONS ", b"CONNECT x:1 ", b"?ns=ghcr.io", b"%2F"),
        *(b"Authorization: Bearer x.y.z\r\n", b"Authorization: Basic cm9ib3QkYTpi\r\n", b"%c3%a9"),
    ),
)
