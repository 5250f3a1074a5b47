"""The registry of a request: by its path, by ``?ns=``, by the host."""

from __future__ import annotations

from hubmirror.errors import RegistryError
from hubmirror.question import registry_of
from hubmirror.registries import Registries
from hubmirror.registry.message import query_of, segments_of
from hubmirror.registry.paths import PathGrammar
from tests.fuzz.target import Target

REGISTRIES = Registries(
    "docker.io",
    frozenset({"ghcr.io", "quay.io:5000"}),
    {"ghcr.mirror.example": "ghcr.io", "127.0.0.1:5001": "quay.io:5000"},
    frozenset({"docker.io"}),
    ("*.allowed.example",),
)
GRAMMAR = PathGrammar(REGISTRIES)


def run(data: bytes) -> None:
    """One that this mirror has, or a ``RegistryError``."""
    target, _, host = data.partition(b"\n")
    home = REGISTRIES.home(f"https://{host.decode('latin-1')}")
    assert _is_known(home)
    text = target.decode("latin-1")
    known = REGISTRIES.known(text)
    assert known is None or _is_known(known)
    try:
        segments = [segment.decode("ascii") for segment in segments_of(target)[1:]]
        subject = GRAMMAR.parse(segments, query_of(target), home)
    except (RegistryError, UnicodeDecodeError):
        return
    assert _is_known(registry_of(subject) or REGISTRIES.default)


def _is_known(name: str) -> bool:
    return name in (REGISTRIES.default, *REGISTRIES.named) or name.endswith(".allowed.example")


TARGET = Target(
    run,
    (
        b"/v2/ghcr.io/owner/app/manifests/latest\nmirror.example:5000",
        b"/v2/a/blobs/sha256:" + b"a" * 64 + b"?ns=quay.io:5000\nghcr.mirror.example:443",
        b"/v2/x.allowed.example/a/tags/list?n=5&last=x\n127.0.0.1:5001",
        b"/v2/_catalog?ns=docker.io\n",
        b"/v2/index.docker.io/a/b/referrers/sha256:" + b"a" * 64 + b"?artifactType=x",
    ),
    (b"/v2/", b"?ns=", b"ghcr.io", b"/manifests/", b"%2f", b"..", b"evil.example/", b".allowed."),
)
