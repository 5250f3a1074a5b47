"""The processor's time of cold blobs that come over TLS, against the least that they can cost.

That least is decrypting and hashing the same bytes (``bench.decrypting``), of the same server in
the same round. The client is on plain HTTP, so that the upstream's TLS is all there is.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import frozen

from bench.certificate import Certificate
from bench.comparing import by_peer, compared
from bench.content import Blob, Content
from bench.nginx import start_nginx
from bench.peers import Daemon
from bench.processes import PYTHON, clean_environment, free_port
from bench.profiles import hottest_functions
from bench.reading import timed_get
from bench.results import Aim, Row

__all__ = ["measure", "profile"]

LENGTH = 200 * 1024 * 1024
#: Blobs in one sample of CPU time, which the kernel tells in steps of 10 ms.
REPEATS = 4
AIM = Aim(1.5)
#: What both negotiate: the cipher that all of TLS 1.3 must know, and the cheapest.
CIPHER = "TLS_AES_128_GCM_SHA256"

_PEERS = ("hubmirror", "decrypting and hashing")
_UPSTREAM = """\
    ssl_certificate {chain};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.3;
    ssl_conf_command Ciphersuites {cipher};
    server {{
        listen 127.0.0.1:{registry} ssl;
        location = /v2/ {{ return 200 "{{}}"; }}
        location ~ ^/v2/.+/blobs/(.+)$ {{ return 307 https://127.0.0.1:{blobs}/$1; }}
    }}
    server {{
        listen 127.0.0.1:{blobs} ssl;
        default_type application/octet-stream;
        root {content}/blobs;
    }}
"""


@frozen
class _Upstream:
    """A registry and its blob host, both in TLS; ``authority`` is the file of whom to trust."""

    authority: Path
    registry: str
    blobs: str

    @classmethod
    def start(cls, stack: ExitStack, folder: Path, content: Content) -> _Upstream:
        certificate = Certificate.make(folder)
        registry, blobs = free_port(), free_port()
        servers = _UPSTREAM.format(
            chain=certificate.chain,
            key=certificate.key,
            cipher=CIPHER,
            registry=registry,
            blobs=blobs,
            content=content.folder,
        )
        start_nginx(stack, folder / "nginx", servers, blobs)
        return cls(certificate.chain, f"https://127.0.0.1:{registry}", f"127.0.0.1:{blobs}")

    def daemon(self, stack: ExitStack, folder: Path, *interpreter: str | Path) -> Daemon:
        """A new hubmirror before it."""
        trust = ("--upstream-ca", str(self.authority))
        return Daemon.start(stack, folder, self.registry, *trust, interpreter=interpreter)


def measure(rounds: int) -> Row:
    """A new cache and the floor in turn, ``rounds`` times over."""
    with _running() as (upstream, blobs):
        samples = [[_mirrored(upstream, blobs), _floor(upstream, blobs)] for _ in range(rounds)]
    found = by_peer(_PEERS, samples)
    return Row("tlscold", list(compared("CPU, cold over TLS", "s/GB", found, _PEERS[1], AIM)))


def profile() -> str:
    """A daemon under cProfile for some cold blobs: the functions it spends most in."""
    with _running() as (upstream, blobs), TemporaryDirectory() as name:
        statistics = Path(name) / "profile"
        with ExitStack() as stack:
            options = ("-m", "cProfile", "-o", statistics)
            _download(upstream.daemon(stack, Path(name), *options), blobs)
        return hottest_functions(statistics)


@contextmanager
def _running() -> Iterator[tuple[_Upstream, Sequence[Blob]]]:
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        content = Content(folder / "content")
        blobs = [content.blob(LENGTH) for _ in range(REPEATS)]
        yield _Upstream.start(stack, folder, content), blobs


def _mirrored(upstream: _Upstream, blobs: Sequence[Blob]) -> float:
    """CPU seconds a GB of a new daemon."""
    with TemporaryDirectory() as name, ExitStack() as stack:
        daemon = upstream.daemon(stack, Path(name))
        before = daemon.process.cpu_seconds()
        _download(daemon, blobs)
        return (daemon.process.cpu_seconds() - before) / _gigabytes(blobs)


def _download(daemon: Daemon, blobs: Sequence[Blob]) -> None:
    for blob in blobs:
        timed_get(f"{daemon.url}{blob.path}", blob.length)


def _floor(upstream: _Upstream, blobs: Sequence[Blob]) -> float:
    """CPU seconds a GB of decrypting and hashing. Raises ``RuntimeError`` for another cipher."""
    paths = [f"/{blob.digest}" for blob in blobs]
    command: list[str | Path] = [
        PYTHON,
        "-m",
        "bench.decrypting",
        upstream.authority,
        upstream.blobs,
        *paths,
    ]
    said = subprocess.check_output(command, env=clean_environment(), stdin=subprocess.DEVNULL)
    cipher, seconds = said.decode().split()
    if cipher != CIPHER:
        raise RuntimeError(f"the upstream speaks {cipher}")
    return float(seconds) / _gigabytes(blobs)


def _gigabytes(blobs: Sequence[Blob]) -> float:
    return sum(blob.length for blob in blobs) / 1e9
