"""Who is measured, and the upstream that all of them share."""

from __future__ import annotations

import hashlib
import os
from contextlib import ExitStack
from pathlib import Path

from attrs import frozen

from bench.processes import PYTHON, Process, find_program, free_port

__all__ = [
    "LARGE_BUFFERS",
    "LIMITED",
    "UNLIMITED",
    "Daemon",
    "Upstream",
    "serve_command",
    "start_proxy",
]

#: The two repositories of the upstream: the blob host sends the blobs of the first at
#: 100 MB/s a connection.
LIMITED, UNLIMITED = "bench/limited", "bench/unlimited"

_NGINX = """\
daemon off;
{user}
worker_processes 1;
pid {folder}/pid;
error_log stderr warn;
events {{}}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    client_body_temp_path {folder}/client;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{servers}
}}
"""

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

_PROXY = """\
    upstream blobs {{ server 127.0.0.1:{blobs}; keepalive 8; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://blobs;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            {buffers}
        }}
    }}
"""


#: What an administrator would set for large bodies: no temporary file, fewer system calls.
LARGE_BUFFERS = (
    "proxy_buffer_size 256k; proxy_buffers 4 256k; proxy_busy_buffers_size 512k;"
    " proxy_max_temp_file_size 0;"
)


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
        digest = _make_blob(blob, length)
        registry, blobs = free_port(), free_port()
        servers = _UPSTREAM.format(registry=registry, blobs=blobs, blob=blob)
        _start_nginx(stack, folder / "upstream", servers, blobs)
        return cls(f"http://127.0.0.1:{registry}", f"http://127.0.0.1:{blobs}", digest, length)


@frozen
class Daemon:
    """hubmirror, listening at ``url``."""

    process: Process
    url: str

    @classmethod
    def start(
        cls, stack: ExitStack, folder: Path, upstream: str, *interpreter: str | Path
    ) -> Daemon:
        """Start it on a data folder in ``folder``; ``interpreter`` are options of Python's."""
        process = stack.enter_context(Process(serve_command(folder, upstream, *interpreter)))
        return cls(process, process.wait_for_line(r"listening on (http://\S+)")[1])


def serve_command(folder: Path, upstream: str, *interpreter: str | Path) -> list[str | Path]:
    """The command line of a daemon before ``upstream``, without a quota."""
    return [
        *(PYTHON, *interpreter, "-m", "hubmirror", "serve"),
        *("--http", "127.0.0.1:0", "--upstream", upstream),
        *("--data", folder / "data", "--quota", "0", "--egress-proxy", "off"),
    ]


def start_proxy(
    stack: ExitStack, folder: Path, upstream: Upstream, buffers: str = ""
) -> tuple[Process, str]:
    """A plain reverse proxy of the blob host, by nginx; its process and URL.

    ``buffers`` are settings instead of nginx's defaults; ``folder`` is made.
    """
    port, blobs = free_port(), upstream.blobs.rpartition(":")[2]
    servers = _PROXY.format(port=port, blobs=blobs, buffers=buffers)
    return _start_nginx(stack, folder, servers, port), f"http://127.0.0.1:{port}"


def _start_nginx(stack: ExitStack, folder: Path, servers: str, port: int) -> Process:
    """One nginx with ``servers``, once it accepts connections on ``port``, one of theirs."""
    folder.mkdir()
    user = "user root;" if os.geteuid() == 0 else ""  # its worker must read the blob
    configuration = folder / "nginx.conf"
    configuration.write_text(_NGINX.format(user=user, folder=folder, servers=servers))
    command = (find_program("nginx"), "-p", folder, "-c", configuration, "-e", "stderr")
    process = stack.enter_context(Process(command))
    process.wait_for_port(port)
    return process


def _make_blob(path: Path, length: int) -> str:
    """Write ``length`` bytes that don't compress; their digest."""
    digest = hashlib.sha256()
    chunk = os.urandom(1 << 20)
    with path.open("wb") as file:
        for begin in range(0, length, len(chunk)):
            piece = chunk[: length - begin]
            file.write(piece)
            digest.update(piece)
    return f"sha256:{digest.hexdigest()}"
