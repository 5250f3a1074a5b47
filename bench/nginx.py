"""nginx, which plays four parts: an upstream, a plain reverse proxy, a cache, a host of files."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from bench.certificate import Certificate
from bench.content import MANIFEST_TYPE, NAME
from bench.processes import Process, find_program, free_port

__all__ = ["LARGE_BUFFERS", "start_cache", "start_files", "start_nginx", "start_proxy"]

#: What an administrator would set for large bodies: no temporary file, fewer system calls.
LARGE_BUFFERS = (
    "proxy_buffer_size 256k; proxy_buffers 4 256k; proxy_busy_buffers_size 512k;"
    " proxy_max_temp_file_size 0;"
)

_MAIN = """\
daemon off;
{user}
worker_processes 1;
pid {folder}/pid;
error_log stderr warn;
events {{ worker_connections 8192; }}
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

_PROXY = """\
    upstream blobs {{ server {blobs}; keepalive 8; }}
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

#: With its lock, as long as a fetch takes: else it sends all who wait upstream after 5 s.
_CACHE = """\
    upstream registry {{ server {registry}; keepalive 8; }}
    upstream blobs {{ server {blobs}; keepalive 8; }}
    proxy_cache_path {store} levels=1:2 keys_zone=bench:16m max_size=100g
        use_temp_path=off;
    proxy_cache bench;
    proxy_cache_key $uri;
    proxy_cache_valid 200 1h;
    proxy_cache_lock on;
    proxy_cache_lock_age 10m;
    proxy_cache_lock_timeout 10m;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    server {{
        {listen}
        location / {{ proxy_pass http://registry; }}
        location ~ /blobs/ {{ proxy_pass http://blobs; }}
    }}
"""

#: The content as it lies there, sent by the kernel.
_FILES = """\
    server {{
        {listen}
        location /v2/{name}/blobs/ {{
            default_type application/octet-stream;
            alias {content}/blobs/;
        }}
        location /v2/{name}/manifests/ {{
            default_type {manifest_type};
            alias {content}/manifests/;
        }}
    }}
"""

#: The versions are hubmirror's.
_TLS = """\
ssl_certificate {chain}; ssl_certificate_key {key};
        ssl_protocols TLSv1.2 TLSv1.3;\
"""


def start_nginx(stack: ExitStack, folder: Path, servers: str, port: int) -> Process:
    """One nginx with ``servers``, once it accepts connections on ``port``, one of theirs.

    ``folder`` is made.
    """
    folder.mkdir()
    user = "user root;" if os.geteuid() == 0 else ""  # its worker must read the blobs
    configuration = folder / "nginx.conf"
    configuration.write_text(_MAIN.format(user=user, folder=folder, servers=servers))
    command = (find_program("nginx"), "-p", folder, "-c", configuration, "-e", "stderr")
    process = stack.enter_context(Process(command))
    process.wait_for_port(port)
    return process


def start_proxy(
    stack: ExitStack, folder: Path, blobs: str, buffers: str = ""
) -> tuple[Process, str]:
    """A plain reverse proxy of the blob host at ``blobs``; its process and URL.

    ``buffers`` are settings instead of nginx's defaults.
    """
    port = free_port()
    servers = _PROXY.format(port=port, blobs=urlsplit(blobs).netloc, buffers=buffers)
    return start_nginx(stack, folder, servers, port), f"http://127.0.0.1:{port}"


def start_cache(
    stack: ExitStack,
    folder: Path,
    registry: str,
    blobs: str,
    certificate: Certificate | None = None,
) -> tuple[Process, str]:
    """A caching proxy, in TLS with a certificate; its process and URL.

    nginx follows no redirects: it asks the blob host for blobs, and the registry for all else.
    """
    hosts = {"registry": urlsplit(registry).netloc, "blobs": urlsplit(blobs).netloc}
    return _listening(stack, folder, certificate, _CACHE, store=folder / "cache", **hosts)


def start_files(
    stack: ExitStack, folder: Path, content: Path, certificate: Certificate | None = None
) -> tuple[Process, str]:
    """A host of the files of a ``bench.content.Content``; its process and URL."""
    parts = {"content": content, "name": NAME, "manifest_type": MANIFEST_TYPE}
    return _listening(stack, folder, certificate, _FILES, **parts)


def _listening(
    stack: ExitStack, folder: Path, certificate: Certificate | None, servers: str, **parts: object
) -> tuple[Process, str]:
    port = free_port()
    listen = f"listen 127.0.0.1:{port};"
    if certificate is not None:
        tls = _TLS.format(chain=certificate.chain, key=certificate.key)
        listen = f"listen 127.0.0.1:{port} ssl; {tls}"
    process = start_nginx(stack, folder, servers.format(listen=listen, **parts), port)
    return process, f"{'https' if certificate else 'http'}://127.0.0.1:{port}"
