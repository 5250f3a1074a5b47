"""The options of the Hub as a process."""

from __future__ import annotations

import pytest

from hubmirror.demo.arguments import accounts, parse


def test_accounts() -> None:
    """Passwords may hold colons; a private repository may have several readers."""
    made = accounts(["alice:a:b", "bob:c"], ["team/secret:alice,bob", "own:bob"])
    assert made.knows("alice", "a:b")
    assert not made.knows("alice", "a")
    assert made.may_pull("alice", "team/secret")
    assert not made.may_pull("alice", "own")
    assert not made.may_pull(None, "team/secret")
    assert made.may_pull(None, "public")


def test_a_certificate_needs_its_key(capsys: pytest.CaptureFixture[str]) -> None:
    """One without the other is refused in words."""
    with pytest.raises(SystemExit) as caught:
        parse(["--certificate", "x.pem"])
    assert caught.value.code == 2
    assert "--private-key" in capsys.readouterr().err
