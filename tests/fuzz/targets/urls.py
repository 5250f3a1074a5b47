"""Where an upstream points to: a ``Location``, a realm."""

from __future__ import annotations

from hubmirror.upstream.url import checked_url, origin_of, resolved_url
from tests.fuzz.target import Target

BASE = "https://registry.example:8443/v2/a/blobs/x?y"


def run(data: bytes) -> None:
    """A URL of http or https that is the same when it is checked again, or ``ValueError``."""
    text = data.decode("latin-1")
    for resolve in (checked_url, lambda reference: resolved_url(BASE, reference)):
        try:
            url = resolve(text)
        except ValueError as error:
            assert len(text) < 12 or text not in str(error)  # noqa: PT017
            continue
        assert checked_url(url) == url
        origin = origin_of(url)
        assert origin.scheme in ("http", "https")
        assert origin.host
        assert 0 < origin.port < 2**16
        assert url.isascii()
        assert url.isprintable()
        assert "@" not in url.partition("://")[2].partition("/")[0]


TARGET = Target(
    run,
    (
        b"https://cdn.example/blob?X-Signature=abc%20#frag",
        b"//other.example:99/x",
        b"../../b?c",
        b"http://[::1]:80/",
        b"http://user:pw@host/",
    ),
    (b"http://", b"https:", b"//", b"@", b"\\", b"[", b"]", b":0", b":99999", b"?", b"#", b"%"),
)
