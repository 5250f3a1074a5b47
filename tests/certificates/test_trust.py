"""The lines that tell how clients trust a CA."""

from __future__ import annotations

from pathlib import Path

import pytest

from hubmirror.certificates.trust import trust_instructions


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("https://mirror.example:5443", "mirror.example:5443"),
        ("https://mirror.example/", "mirror.example"),
        ("https://user:secret@192.0.2.7:443", "192.0.2.7:443"),
    ],
)
def test_paths_are_the_clients(url: str, authority: str) -> None:
    """Each client's own path is there, by host and port, and nothing of a password."""
    text = trust_instructions(Path("/data/tls/ca.pem"), url)
    for wanted in (
        "/data/tls/ca.pem",
        f"install -Dm644 ca.crt /etc/docker/certs.d/{authority}/ca.crt",
        f"install -Dm644 ca.crt /etc/containers/certs.d/{authority}/ca.crt",
        f'[host."https://{authority}"]',
        "update-ca-certificates",
    ):
        assert wanted in text
    assert "secret" not in text


def test_odd_paths_are_quoted() -> None:
    """What goes to a shell is quoted."""
    text = trust_instructions(Path("/my data/ca.pem"), "https://[::1]:5443")
    assert "'/my data/ca.pem'" in text
    assert "'/etc/docker/certs.d/[::1]:5443/ca.crt'" in text
