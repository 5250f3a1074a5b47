"""How clients come to trust a CA of one's own."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from urllib.parse import urlsplit

__all__ = ["trust_instructions"]

_TEXT = """\
Clients trust this mirror once they have its CA, {ca} (copy it to each of them as ca.crt):
  docker, as root:
    install -Dm644 ca.crt {docker}
  podman, skopeo, buildah, as root:
    install -Dm644 ca.crt {podman}
  containerd, as root, and the lines in /etc/containerd/certs.d/docker.io/hosts.toml:
    install -Dm644 ca.crt {containerd}
    [host."{origin}"]
      capabilities = ["pull", "resolve"]
      ca = "{containerd}"
  all programs of a machine, as root (restart docker or containerd then):
    Debian: cp ca.crt /usr/local/share/ca-certificates/hubmirror.crt && update-ca-certificates
    Fedora: cp ca.crt /etc/pki/ca-trust/source/anchors/hubmirror.crt && update-ca-trust"""


def trust_instructions(ca: Path, url: str) -> str:
    """Lines to copy, for a mirror that clients reach at ``url`` and whose CA is in ``ca``.

    Sources: Docker's "Verify repository client with certificates", containers-certs.d(5),
    containerd's docs/hosts.md. Docker and podman look in a folder named after host and port,
    the port as the URL has it.
    """
    authority = urlsplit(url).netloc.rpartition("@")[2]
    return _TEXT.format(
        ca=quote(str(ca)),
        origin=f"https://{authority}",
        docker=quote(f"/etc/docker/certs.d/{authority}/ca.crt"),
        podman=quote(f"/etc/containers/certs.d/{authority}/ca.crt"),
        containerd="/etc/containerd/certs.d/docker.io/hubmirror.crt",
    )
