"""The whole mirror, whose upstream answers anything at all.

An input is a line with what the client asks for (see ``_PATHS``) and the status of the answer, the
answer's fields, an empty line, and its body; ``DIGEST`` stands for the body's own.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from pathlib import Path
from typing import Any, Final

from tests.fuzz.mirrors import Mirrors
from tests.fuzz.target import Target, failures_told
from tests.mirror.hub import ACCEPT, INDEX, MANIFEST, digest_of
from tests.registry.edge import Edge, Wire

_PATHS: Final = (
    *("/v2/", "/v2/a/b/manifests/1", "/v2/a/b/manifests/DIGEST", "/v2/a/b/blobs/DIGEST"),
    *("/v2/a/b/tags/list?n=2", "/v2/a/b/referrers/DIGEST", "/image/a/b:1.tar", "/v1/search?q=a"),
    *("/token?service=x&scope=repository:a/b:pull", "/image/a/b:1.json", "/v2/_catalog"),
)
_FIELD = re.compile(rb"([A-Za-z0-9-]{1,40}):([^\r\n\0]*)")
_REALM = re.compile(r'^WWW-Authenticate:.*?Bearer.*?realm="([^"]*)"', re.IGNORECASE | re.MULTILINE)
#: Those that the server of this test has to set by itself.
_FRAMING: Final = frozenset((b"content-length", b"transfer-encoding", b"connection"))


def run(data: bytes) -> None:
    """No 500, nothing logged as a failure; what comes under a digest has it."""
    head, _, body = data.partition(b"\n\n")
    digest = digest_of(body)
    first, *lines = head.replace(b"DIGEST", digest.encode()).split(b"\n")
    which, _, status = first.partition(b" ")
    with failures_told():
        edge = _MIRRORS.one()
        edge.upstream.requests.clear()
        edge.upstream.answer = lambda request: _answered(request, _number(status, 200), lines, body)
        path = _PATHS[_number(which, 0) % len(_PATHS)].replace("DIGEST", digest)
        wires = [edge.get(path, ACCEPT) for _ in range(2)]
        edge.clock.advance(3600)
        edge.settle()
    for wire in wires:
        _look_at(path, digest, wire)


def _answered(request: Any, status: int, lines: list[bytes], body: bytes) -> bytes:
    request.setResponseCode(status if 200 <= status < 600 else 200)
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field is not None and field[1].lower() not in _FRAMING:
            request.responseHeaders.addRawHeader(field[1], field[2].strip())
    return b"" if request.method == b"HEAD" else body


def _number(text: bytes, default: int) -> int:
    return int(text) if len(text) < 4 and text.isdigit() else default


def _look_at(path: str, digest: str, wire: Wire) -> None:
    if not wire.value():
        return  # cut, as it must be where bytes are wrong
    status, head = wire.status(), wire.head()
    assert status != 500, head
    assert "\r\nset-cookie:" not in head.lower(), head
    assert "\r\nContent-Security-Policy: default-src 'none'; sandbox" in head or status >= 400, head
    for realm in _REALM.findall(head):
        assert realm.startswith("http://mirror.example:5000/token"), realm
    if status == 200 and path.endswith(digest) and "/referrers/" not in path:
        assert f"sha256:{hashlib.sha256(wire.body()).hexdigest()}" == digest
    if status == 200 and path.endswith(".tar"):
        _read_back(wire)


def _read_back(wire: Wire) -> None:
    """A tar that is whole can be read, and leads nowhere."""
    length = re.search(r"^Content-Length: (\d+)", wire.head(), re.MULTILINE)
    if length is None or int(length[1]) != len(wire.body()):
        return
    with tarfile.open(fileobj=io.BytesIO(wire.body())) as opened:
        for entry in opened:
            assert not entry.name.startswith("/")
            assert ".." not in entry.name.split("/")


def _made(_kind: int, folder: Path) -> Edge:
    return Edge(folder=folder, search_upstream="https://search.example", quota=0)


_MIRRORS: Final = Mirrors(_made)

_CONFIG: Final = {
    "mediaType": "application/vnd.oci.image.config.v1+json",
    "digest": digest_of(b"{}"),
    "size": 2,
}
_IMAGE: Final = json.dumps({"schemaVersion": 2, "config": _CONFIG, "layers": []})
_LIST: Final = json.dumps({"schemaVersion": 2, "manifests": [{**_CONFIG, "mediaType": MANIFEST}]})
_TYPE = b"Content-Type: "
TARGET = Target(
    run,
    (
        b'0 401\nWWW-Authenticate: Bearer realm="https://auth.example/t",service="x"\n\n{}',
        b"1 200\n"
        + _TYPE
        + MANIFEST.encode()
        + b"\nDocker-Content-Digest: DIGEST\n\n"
        + _IMAGE.encode(),
        b"2 200\n" + _TYPE + INDEX.encode() + b"\n\n" + _LIST.encode(),
        b'3 200\nContent-Type: application/octet-stream\nETag: "x"\n\nblob',
        b"3 307\nLocation: https://cdn.example/x?sig=y\n\n",
        b"3 206\nContent-Range: bytes 0-3/4\n\nblob",
        b'4 200\nContent-Type: application/json\nLink: </v2/a/b/tags/list?last=x>; rel="next"'
        b'\n\n{"name":"a/b","tags":["1"]}',
        b"5 200\n" + _TYPE + INDEX.encode() + b"\n\n" + _LIST.encode(),
        b"6 200\n" + _TYPE + MANIFEST.encode() + b"\n\n" + _IMAGE.encode(),
        b"9 200\n" + _TYPE + INDEX.encode() + b"\n\n" + _LIST.encode(),
        b'7 200\n\n{"results":[{"name":"a/b","description":"c"}]}',
        b'8 200\n\n{"token":"t","expires_in":300}',
        b"1 429\nRetry-After: 5\nRateLimit-Limit: 100;w=21600\nRateLimit-Remaining: 0;w=21600\n\n",
        b'1 404\n\n{"errors":[{"code":"MANIFEST_UNKNOWN"}]}',
    ),
    (
        *(b"Docker-Content-Digest: DIGEST", b"DIGEST", b"\n\n", b"401", b"307", b"206", b"416"),
        *(b"Location: ", b"http://127.0.0.1/", b"https://[::1]/", b"Link: <?n=1>; rel=next\n"),
        *(b"Retry-After: ", b"Wed, 21 Oct 2015 07:28:00 GMT", b"Content-Encoding: gzip\n"),
        *(b"Warning: 299 - x\n", b"Set-Cookie: a=b\n", b"Age: 9\n", b'ETag: W/"x"\n', b"Date: x\n"),
        *(b"RateLimit-Remaining: ", b"WWW-Authenticate: ", b"realm=", b"Bearer ", b"Basic "),
        *(b"Content-Range: bytes ", b"*/", b"0-3/4", b"Content-Disposition: x\n", b"Vary: *\n"),
        *(MANIFEST.encode(), INDEX.encode(), b'"size":', b'"platform":{', b'"layers":['),
    ),
)
