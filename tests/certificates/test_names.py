"""The names that a machine's certificate is for."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from hubmirror.certificates.files import CertificateError
from hubmirror.certificates.names import machine_names, normal_names


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("Mirror.Example.ORG.", "mirror.example.org"),
        ("[2001:DB8::0001]", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("192.0.2.7", "192.0.2.7"),
        ("bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_normal_names(name: str, normal: str) -> None:
    """Names and addresses come out as a certificate spells them."""
    assert normal_names([name]) == {normal}


@pytest.mark.parametrize("name", ["", "0.0.0.0", "::", "[::]"])
def test_names_of_nobody(name: str) -> None:
    """A wildcard address names no machine."""
    assert normal_names([name]) == frozenset()


@pytest.mark.parametrize("name", ["a..b", "x" * 64])
def test_what_is_no_name(name: str) -> None:
    """Text that DNS can't hold is an error that quotes it."""
    with pytest.raises(CertificateError, match=name):
        normal_names([name])


def test_machine_names(tmp_path: Path) -> None:
    """The loopback, the machine's own names, its full name from the hosts file, and the given."""
    own = socket.gethostname()
    hosts = tmp_path / "hosts"
    hosts.write_text(
        f"127.0.0.1 localhost\n127.0.1.1\t{own}.lan.example {own} # {own}.not\n\n192.0.2.9 other\n"
    )
    names = machine_names(["mirror.example", "0.0.0.0"], hosts)
    assert names >= {"localhost", "127.0.0.1", "::1", f"{own}.lan.example".lower(), own.lower()}
    assert "mirror.example" in names
    assert names.isdisjoint({"other", f"{own}.not", "0.0.0.0", ""})


def test_no_hosts_file(tmp_path: Path) -> None:
    """A machine without that file has names all the same."""
    assert "localhost" in machine_names(hosts=tmp_path / "none")
