"""Connections that are counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.handshakes import CLIENTS, connect_often
from tests.bench.secure_server import answering_securely

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(("mode", "is_resumed"), [("full", False), ("resumed", True)])
def test_all_are_of_the_kind_that_was_asked_for(
    tmp_path: Path, mode: str, is_resumed: bool
) -> None:
    """Resumption that fails quietly would look like a slow peer."""
    with answering_securely(tmp_path, OK) as url:
        found = connect_often(url, 0.05, mode)
    assert found.made >= CLIENTS
    assert found.resumed == (found.made if is_resumed else 0)
    assert found.seconds > 0


def test_a_wrong_answer_is_never_counted(tmp_path: Path) -> None:
    """A peer that fails fast must not look fast."""
    response = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
    with answering_securely(tmp_path, response) as url, pytest.raises(RuntimeError):
        connect_often(url, 0.05, "full")
