"""``WWW-Authenticate`` as an upstream may send it."""

from __future__ import annotations

from hubmirror.upstream.challenge import parse_challenges, rewrite_realm
from tests.fuzz.target import Target

REALM = "https://mirror.example/token"


def run(data: bytes) -> None:
    """Parsed, it can be written and parsed again; each Bearer's realm is the mirror's."""
    values = data.decode("latin-1").split("\n")
    challenges = parse_challenges(values)
    assert parse_challenges(map(str, challenges)) == challenges
    written = rewrite_realm(values, REALM)
    for line in written:
        assert "\r" not in line
        assert "\n" not in line
    for challenge in parse_challenges(written):
        if challenge.is_scheme("Bearer"):
            assert challenge.parameter("realm") in (None, REALM)


TARGET = Target(
    run,
    (
        b'Bearer realm="https://auth.example/token",service="hub",scope="repository:a/b:pull"',
        b'Basic realm="a \\"b\\"", charset=UTF-8, Bearer realm=x,,service = y\nNegotiate abc==',
        b"Digest qop=auth",
    ),
    (b"Bearer ", b"Basic ", b"realm=", b'"', b'\\"', b",", b"=", b" , ", b"token68=="),
)
