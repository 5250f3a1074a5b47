"""The daemon's first words."""

from __future__ import annotations

import json
import socket

import pytest

from hubmirror.greeting import greeting, warnings


def test_says_where_it_listens_and_what_to_copy() -> None:
    """Few lines; the snippet is JSON as docker reads it."""
    lines = list(greeting(["http://127.0.0.1:5000"], "https://hub", "/data"))
    assert "listening on http://127.0.0.1:5000" in lines
    snippet = next(line for line in lines if "daemon.json" in line).partition("{")[2]
    assert json.loads("{" + snippet) == {"registry-mirrors": ["http://127.0.0.1:5000"]}
    assert len(lines) <= 6


def test_names_an_address_that_others_can_reach() -> None:
    """All interfaces are none that a client could type; ``public_url`` is the operator's word."""
    lines = "\n".join(greeting(["https://[::]:5443"], "https://hub", "/data"))
    assert f'"https://{socket.gethostname()}:5443"' in lines
    lines = "\n".join(greeting(["https://[::]:5443"], "https://hub", "/data", "https://h.example"))
    assert '"https://h.example"' in lines


@pytest.mark.parametrize(
    ("url", "is_loud"),
    [
        ("http://127.0.0.1:5000", False),
        ("http://[::1]:5000", False),
        ("https://0.0.0.0:443", False),
        ("http://0.0.0.0:5000", True),
        ("http://[::]:5000", True),
        ("http://192.0.2.1:5000", True),
    ],
)
def test_warns_of_logins_in_the_clear(url: str, is_loud: bool) -> None:
    """Plain HTTP that others can reach: dockerd's users' logins are readable on the way."""
    assert any("login" in line for line in warnings([url])) is is_loud


@pytest.mark.parametrize(
    ("url", "is_loud"),
    [
        ("http://127.0.0.1:5000", False),
        ("https://10.0.0.1:5000", False),
        ("https://[fd00::1]:443", False),
        ("https://0.0.0.0:443", True),
        ("https://[::]:443", True),
        ("https://8.8.8.8:443", True),
        ("https://[2a00::1]:443", True),
    ],
)
def test_warns_of_a_mirror_for_the_whole_internet(url: str, is_loud: bool) -> None:
    """Where nobody is asked who he is, and only there."""
    told = [line for line in warnings([url], is_open=True) if "internet" in line]
    assert bool(told) is is_loud
    assert not any("internet" in line for line in warnings([url]))
