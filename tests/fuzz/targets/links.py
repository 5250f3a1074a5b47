"""``Link`` as an upstream may send it."""

from __future__ import annotations

from hubmirror.registry.links import parse_links, stay_on_mirror
from tests.fuzz.target import Target

PATH = "/v2/library/busybox/tags/list"


def run(data: bytes) -> None:
    """What stays leads to the same listing of this mirror, in one line of ASCII."""
    value = data.decode("latin-1")
    for namespace in (None, "ghcr.io"):
        stays = stay_on_mirror(value, PATH, namespace)
        if stays is None:
            continue
        assert stays.isascii()
        assert stays.isprintable()
        for link in parse_links(stays):
            assert link.target.startswith(f"{PATH}?")
            assert link.parameter("rel") == "next"


TARGET = Target(
    run,
    (
        b'</v2/library/busybox/tags/list?last=1&n=2>; rel="next"',
        b'<https://evil.example/v2/a/tags/list?n=1>; rel="prev next"; a; b=c, <?last=x>; rel=next',
        b'<../tags/list?n=%41>;rel=next;anchor="#x"',
    ),
    (b"<", b">", b"; rel=next", b'rel="next"', b"//evil.example", b"?n=1", b"%2e%2e", b"[::1"),
)
