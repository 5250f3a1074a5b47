"""Tokens of this mirror's own, as somebody might forge them."""

from __future__ import annotations

import json
import tempfile
from base64 import urlsafe_b64encode
from functools import cache
from pathlib import Path

import jwt
from attrs import frozen

from hubmirror.access.keyring import Keyring
from hubmirror.access.passes import Pass, Passes, UnknownKey
from tests.fuzz.target import Target

NOW = 1_700_000_000.0


@frozen
class _Office:
    passes: Passes
    token: bytes
    issued: Pass
    key_id: bytes


@cache
def _office() -> _Office:
    """Passes by a key that nobody else has, and one of them."""
    with tempfile.TemporaryDirectory() as folder:
        keyring = Keyring(Path(folder) / "keys", lambda: NOW, accepted=60)
        passes = Passes(keyring)
        token = str(passes.issue("alice", ["docker.io/library/busybox"], NOW)["token"])
    issued = passes.read(token, NOW)
    assert issued is not None
    return _Office(passes, token.encode(), issued, jwt.get_unverified_header(token)["kid"].encode())


def run(data: bytes) -> None:
    """Whatever is taken says what was signed, and nothing else.

    ``TOKEN``, its parts ``HEAD``, ``BODY`` and ``SIGN``, and the key's id ``KID`` stand for such.
    What is in braces is encoded.
    """
    office = _office()
    head, body, sign = office.token.split(b".")
    text = data.replace(b"KID", office.key_id)
    text = b"".join(map(_encoded, text.split(b"|")))
    for word, value in (
        (b"TOKEN", office.token),
        (b"HEAD", head),
        (b"BODY", body),
        (b"SIGN", sign),
    ):
        text = text.replace(word, value)
    try:
        found = office.passes.read(text.decode("latin-1"), NOW)
    except UnknownKey:
        return
    assert found is None or found == office.issued


def _encoded(part: bytes) -> bytes:
    return urlsafe_b64encode(part).rstrip(b"=") if part[:1] in (b"{", b"[") else part


_CLAIMS = json.dumps(
    {
        "iss": "hubmirror",
        "aud": "hubmirror",
        "sub": "admin",
        "exp": 2_000_000_000,
        "cert": False,
        "access": [{"type": "repository", "name": "docker.io/secret/app", "actions": ["pull"]}],
    }
).encode()
TARGET = Target(
    run,
    (
        b"TOKEN",
        b"HEAD|.|" + _CLAIMS + b"|.|SIGN",
        b'{"alg":"none","kid":"KID"}|.|' + _CLAIMS + b"|.",
        b'{"alg":"HS256","kid":"KID","typ":"JWT"}|.|' + _CLAIMS + b"|.|SIGN",
        b'{"alg":"HS256","kid":"KID","b64":false,"crit":["b64"]}|.||.|SIGN',
        b'{"alg":"RS256","kid":"0000000000000000","jwk":{}}|.|BODY|.|SIGN',
    ),
    (
        *(b"TOKEN", b"HEAD", b"BODY", b"SIGN", b"KID", b"|", b".", b'"alg":"none"', b'"kid":'),
        *(b'"jwk":', b'"x5u":', b'"crit":', b'"zip":', b"[[", b"{", b"}", b"=="),
    ),
)
