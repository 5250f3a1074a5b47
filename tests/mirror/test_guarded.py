"""Where the mirror is its own token server, nothing of that goes upstream."""

from __future__ import annotations

from pathlib import Path

from tests.access.mirrors import BUSYBOX
from tests.access.test_logins import Desk, basic


def test_no_outage_keeps_anybody_out(tmp_path: Path) -> None:
    """What is kept is given as ever, though nobody can be asked for tokens."""
    desk = Desk(tmp_path)
    assert desk.get(BUSYBOX, basic("alice")).status() == 200
    desk.hub.status = 503
    desk.hub.asked()
    token = desk.token(basic("alice"))
    assert desk.get("/v2/", token).body() == b"{}"
    assert desk.get(BUSYBOX, token).status() == 200
    assert desk.hub.asked() == []


def test_an_upstream_that_refuses_the_mirror_challenges_nobody(tmp_path: Path) -> None:
    """Who has logged in here would be asked again, and could never show the right login."""
    desk = Desk(tmp_path)
    wire = desk.get("/v2/team/secret/manifests/latest", basic("alice"))
    assert desk.hub.asked()
    assert (wire.status(), wire.error()["code"]) == (403, "DENIED")
    assert "WWW-Authenticate" not in wire.head()
