"""Who is measured, and the upstreams that they share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import frozen

from bench.content import Content, write_noise
from bench.nginx import start_cache, start_nginx
from bench.processes import PYTHON, Process, find_program, free_port
from bench.reading import body_of

__all__ = [
    "CACHES",
    "LIMITED",
    "UNLIMITED",
    "Daemon",
    "Hub",
    "Running",
    "Upstream",
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
http: {{addr: "127.0.0.1:{port}"}}
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
    """The upstream of the caches, ``bench.hub``: the URLs of registry and blob host."""

    registry: str
    blobs: str

    @classmethod
    def start(cls, stack: ExitStack, content: Content, **slow: float) -> Hub:
        """Serve ``content``; ``slow`` is ``total`` or ``each`` (bytes/s), or ``delay`` (s)."""
        options = [f"--{name}={value}" for name, value in slow.items()]
        command: list[str | Path] = [PYTHON, "-m", "bench.hub", content.folder, *options]
        process = stack.enter_context(Process(command))
        registry, blobs = process.wait_for_line(r"serving (\S+) (\S+)").groups()
        return cls(registry, blobs)

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
        return cls(process, process.wait_for_line(r"listening on (http://\S+)")[1])


def serve_command(
    folder: Path, upstream: str, *options: str, interpreter: tuple[str | Path, ...] = ()
) -> list[str | Path]:
    """The command line of a daemon before ``upstream``, without a quota."""
    program: list[str | Path] = [PYTHON, *interpreter, "-m", "hubmirror", "serve"]
    places = ["--http", "127.0.0.1:0", "--upstream", upstream, "--data", str(folder / "data")]
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


def _hubmirror(stack: ExitStack, folder: Path, hub: Hub) -> Running:
    daemon = Daemon.start(stack, folder, hub.registry)
    return Running(daemon.url, daemon.process)


def _nginx(stack: ExitStack, folder: Path, hub: Hub) -> Running:
    process, url = start_cache(stack, folder / "nginx", hub.registry, hub.blobs)
    return Running(url, process)


def _docker_registry(stack: ExitStack, folder: Path, hub: Hub) -> Running:
    port = free_port()
    configuration = folder / "registry.yml"
    configuration.write_text(
        _REGISTRY.format(folder=folder / "registry", port=port, upstream=hub.registry)
    )
    command = (find_program("docker-registry"), "serve", configuration)
    process = stack.enter_context(Process(command))
    process.wait_for_port(port)
    return Running(f"http://127.0.0.1:{port}", process)


#: Those that keep what they have fetched, by name: how each is started in an empty folder.
CACHES: Mapping[str, Callable[[ExitStack, Path, Hub], Running]] = {
    "hubmirror": _hubmirror,
    "docker-registry": _docker_registry,
    "nginx": _nginx,
}


@contextmanager
def new(name: str, hub: Hub) -> Iterator[Running]:
    """One of ``CACHES`` that knows nothing yet, before ``hub``; or ``direct``, the blob host."""
    with TemporaryDirectory() as folder, ExitStack() as stack:
        if name == "direct":
            yield Running(hub.blobs)
        else:
            yield CACHES[name](stack, Path(folder), hub)
