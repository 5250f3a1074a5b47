"""Who is measured, and the upstreams that they share."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import frozen

from bench.certificate import Certificate
from bench.content import Content, write_noise
from bench.nginx import start_cache, start_files, start_nginx
from bench.processes import PYTHON, Process, clean_environment, find_program, free_port
from bench.reading import body_of, wait_for_answer

__all__ = [
    "CACHES",
    "LIMITED",
    "TWO_WORKERS",
    "UNLIMITED",
    "WARM",
    "Daemon",
    "Hub",
    "Running",
    "Upstream",
    "knows_workers",
    "new",
    "serve_command",
]

#: The two repositories of ``Upstream``: the blob host sends the blobs of the first at 100 MB/s
#: a connection.
LIMITED, UNLIMITED = "bench/limited", "bench/unlimited"

_UPSTREAM = """\
    server {{
        listen 127.0.0.1:{registry};
        location = /v2/ {{ return 200 "{{}}"; }}
        location ~ ^/v2/(.+)/blobs/ {{ return 307 http://127.0.0.1:{blobs}/$1; }}
    }}
    server {{
        listen 127.0.0.1:{blobs};
        default_type application/octet-stream;
        location = /bench/unlimited {{ alias {blob}; }}
        location = /bench/limited {{ alias {blob}; limit_rate 100m; }}
    }}
"""

_REGISTRY = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  cache: {{blobdescriptor: inmemory}}
  filesystem: {{rootdirectory: {folder}}}
http: {{addr: "127.0.0.1:{port}"{tls}}}
proxy: {{remoteurl: "{upstream}"}}
"""


@frozen
class Upstream:
    """A registry without challenges that redirects to a blob host, and its one blob."""

    registry: str
    blobs: str
    digest: str
    length: int

    @classmethod
    def start(cls, stack: ExitStack, folder: Path, length: int) -> Upstream:
        """Make a blob of ``length`` bytes in ``folder``; one nginx is registry and blob host."""
        blob = folder / "blob"
        digest = write_noise(blob, length)
        registry, blobs = free_port(), free_port()
        servers = _UPSTREAM.format(registry=registry, blobs=blobs, blob=blob)
        start_nginx(stack, folder / "upstream", servers, blobs)
        return cls(f"http://127.0.0.1:{registry}", f"http://127.0.0.1:{blobs}", digest, length)


@frozen
class Hub:
    """The upstream of the caches, ``bench.hub``: the URLs of registry and blob host.

    ``folder`` is what it serves.
    """

    registry: str
    blobs: str
    folder: Path

    @classmethod
    def start(cls, stack: ExitStack, content: Content, **slow: float) -> Hub:
        """Serve ``content``; ``slow`` is ``total`` or ``each`` (bytes/s), or ``delay`` (s)."""
        options = [f"--{name}={value}" for name, value in slow.items()]
        command: list[str | Path] = [PYTHON, "-m", "bench.hub", content.folder, *options]
        process = stack.enter_context(Process(command))
        registry, blobs = process.wait_for_line(r"serving (\S+) (\S+)").groups()
        return cls(registry, blobs, content.folder)

    def sent(self) -> int:
        """How many bytes of blobs it has sent so far."""
        return int(body_of(f"{self.blobs}/sent"))


@frozen
class Daemon:
    """hubmirror, listening at ``url``."""

    process: Process
    url: str

    @classmethod
    def start(
        cls,
        stack: ExitStack,
        folder: Path,
        upstream: str,
        *options: str,
        interpreter: tuple[str | Path, ...] = (),
    ) -> Daemon:
        """Start it on a data folder in ``folder``; ``interpreter`` are options of Python's."""
        command = serve_command(folder, upstream, *options, interpreter=interpreter)
        process = stack.enter_context(Process(command))
        return cls(process, process.wait_for_line(r"listening on (https?://\S+)")[1])


def serve_command(
    folder: Path, upstream: str, *options: str, interpreter: tuple[str | Path, ...] = ()
) -> list[str | Path]:
    """The command line of a daemon before ``upstream``, without a quota.

    It listens for plain HTTP on a free port, unless ``options`` say where.
    """
    program: list[str | Path] = [PYTHON, *interpreter, "-m", "hubmirror", "serve"]
    places = ["--upstream", upstream, "--data", str(folder / "data")]
    if "--http" not in options:
        places += ["--http", "127.0.0.1:0"]
    unlimited = ["--quota", "0", "--quota-minute", "0", "--egress-proxy", "off"]
    return [*program, *places, *unlimited, *options]


@frozen
class Running:
    """A cache that runs: where it answers, and its process (None: nobody is between)."""

    url: str
    process: Process | None = None

    def cpu_seconds(self) -> float:
        """What it has spent so far."""
        return 0.0 if self.process is None else self.process.cpu_seconds()

    def resident_mib(self) -> float:
        """Its resident set now, in MiB."""
        return 0.0 if self.process is None else self.process.resident_mib()


#: Starts a cache in an empty folder, in TLS with a certificate.
_Start = Callable[[ExitStack, Path, Hub, Certificate | None], Running]

#: hubmirror with its limits for one client lifted, who is all clients here; with tags that are
#: as fresh as nginx's; and without a line in the log for each request, as the others.
_ALIKE = (
    *("--max-connections", "16384", "--max-connections-per-client", "16384"),
    *("--tag-ttl", "1h", "--log-level", "warn"),
)


def _with_workers(workers: int) -> _Start:
    def start(stack: ExitStack, folder: Path, hub: Hub, certificate: Certificate | None) -> Running:
        port = free_port()  # at this level of its log it does not say where it listens
        place = f"127.0.0.1:{port}"
        options = [*_ALIKE, "--http", place]
        if certificate is not None:
            files = str(certificate.chain), str(certificate.key)
            options = [*_ALIKE, "--http", "off", "--https", place]
            options += ["--certificate", files[0], "--private-key", files[1]]
        if workers > 1:
            options += ["--workers", str(workers)]
        process = stack.enter_context(Process(serve_command(folder, hub.registry, *options)))
        process.wait_for_port(port)
        url = f"{'https' if certificate else 'http'}://{place}"
        wait_for_answer(f"{url}/readyz")  # the port is open before the cache is
        return Running(url, process)

    return start


def _nginx(stack: ExitStack, folder: Path, hub: Hub, certificate: Certificate | None) -> Running:
    hosts = hub.registry, hub.blobs
    process, url = start_cache(stack, folder / "nginx", *hosts, certificate)
    return Running(url, process)


def _nginx_files(
    stack: ExitStack, folder: Path, hub: Hub, certificate: Certificate | None
) -> Running:
    process, url = start_files(stack, folder / "nginx", hub.folder, certificate)
    return Running(url, process)


def _docker_registry(
    stack: ExitStack, folder: Path, hub: Hub, certificate: Certificate | None
) -> Running:
    port = free_port()
    tls, scheme = "", "http"
    if certificate is not None:
        tls, scheme = (
            f", tls: {{certificate: {certificate.chain}, key: {certificate.key}}}",
            "https",
        )
    configuration = folder / "registry.yml"
    configuration.write_text(
        _REGISTRY.format(folder=folder / "registry", port=port, tls=tls, upstream=hub.registry)
    )
    command = (find_program("docker-registry"), "serve", configuration)
    process = stack.enter_context(Process(command))
    process.wait_for_port(port)
    return Running(f"{scheme}://127.0.0.1:{port}", process)


TWO_WORKERS = "hubmirror, 2 workers"

#: Those that keep what they have fetched, by name.
CACHES: Mapping[str, _Start] = {
    "hubmirror": _with_workers(1),
    "docker-registry": _docker_registry,
    "nginx": _nginx,
}

#: Those that have what they are asked for, by name.
WARM: Mapping[str, _Start] = {
    "hubmirror": _with_workers(1),
    TWO_WORKERS: _with_workers(2),
    "docker-registry": _docker_registry,
    "nginx": _nginx,
    "nginx, files": _nginx_files,
}


@contextmanager
def new(name: str, hub: Hub, certificate: Certificate | None = None) -> Iterator[Running]:
    """One of ``WARM`` that knows nothing yet, before ``hub``; or ``direct``, the blob host."""
    with TemporaryDirectory() as folder, ExitStack() as stack:
        if name == "direct":
            yield Running(hub.blobs)
        else:
            yield WARM[name](stack, Path(folder), hub, certificate)


def knows_workers() -> bool:
    """Whether this hubmirror has ``--workers``."""
    command = (PYTHON, "-m", "hubmirror", "serve", "--help")
    done = subprocess.run(
        command, env=clean_environment(), capture_output=True, text=True, check=True
    )
    return "--workers" in done.stdout
