"""Tests of the gate: networks and rules, before anything else is done or spent."""

from __future__ import annotations

from pathlib import Path

import pytest
from zope.interface import implementer

from hubmirror.access.gate import Access, OpenAccess
from hubmirror.access.identities import ByCertificate, Identity, IIdentities
from hubmirror.access.names import Names
from hubmirror.access.rules import Rule, Rulebook
from hubmirror.errors import Denied
from hubmirror.naming import Repository, Tag
from hubmirror.question import (
    CatalogRequest,
    Client,
    ManifestRequest,
    Ping,
    Preflight,
    Question,
    Refusal,
    Subject,
)
from hubmirror.registries import Registries
from tests.access.mirrors import ACCEPT, BUSYBOX, mirror_of
from tests.mirror.hub import Hub

MANIFEST = ManifestRequest(Repository("docker.io", "library/busybox"), Tag("latest"))
DENY_ALL = Access(Rulebook([Rule("deny")], {}), ByCertificate(), Names(Registries("docker.io")))
#: An address of the test's own clients, which Edge has at 192.0.2.1.
NETWORKS = ["192.0.2.0/24", "192.0.2.1", "here"]


def asked(subject: Subject, address: str = "192.0.2.1") -> Question:
    return Question("GET", subject, Client(address, "http://mirror.example"))


def get(hub: Hub, path: str = BUSYBOX) -> int:
    """The status of a pull's request under a token that the Hub takes."""
    return hub.get(path, hub.token("alice", "library/busybox"), ACCEPT).status()


def test_where_nothing_is_set_all_is_open() -> None:
    """Nothing is objected to."""
    assert OpenAccess().objection(asked(MANIFEST)) is None  # type: ignore[func-returns-value]


@pytest.mark.parametrize("network", NETWORKS)
def test_a_network_that_is_denied(tmp_path: Path, network: str) -> None:
    """By address, network or name; nothing goes upstream, and nothing is spent."""
    names = 'networks.here = "192.0.2.1"\n'
    hub = mirror_of(tmp_path, f'{names}[access]\ndeny = ["{network}"]\n')
    for path in (BUSYBOX, "/v2/", "/token?service=x", "/v2/nonsense"):
        wire = hub.get(path)
        assert (wire.status(), wire.error()["code"]) == (403, "DENIED")
        assert "your network" in wire.error()["message"]
    assert hub.asked() == []
    assert hub.edge.quota.day().used == 0


def test_networks_that_are_allowed(tmp_path: Path) -> None:
    """Others are not."""
    assert get(mirror_of(tmp_path, 'access.allow = "192.0.2.0/24"\n')) == 200
    assert get(mirror_of(tmp_path, 'access.allow = "198.51.100.0/24"\n')) == 403


def test_what_is_denied_is_not_allowed(tmp_path: Path) -> None:
    text = '[access]\nallow = "192.0.2.0/24"\ndeny = "192.0.2.1"\n'
    assert get(mirror_of(tmp_path, text)) == 403


def test_a_block_says_why(tmp_path: Path) -> None:
    """And the other repositories are as ever."""
    text = """
[[access.rule]]
action = "block"
repositories = ["*/library/*"]
message = "ask the platform team"
"""
    hub = mirror_of(tmp_path, text)
    for path in (BUSYBOX, "/v2/busybox/tags/list"):
        wire = hub.get(path)
        assert (wire.status(), wire.error()["message"]) == (403, "ask the platform team")
    assert hub.asked() == []
    app = hub.get("/v2/team/app/manifests/latest", hub.token("alice", "team/app"), ACCEPT)
    assert app.status() == 200


def test_a_rule_holds_for_what_is_kept(tmp_path: Path) -> None:
    """It is asked about before anything that is here is looked at."""
    text = '[[access.rule]]\naction = "deny"\ntags = ["old"]\n'
    hub = mirror_of(tmp_path, text)
    hub.put_image("library/busybox", "old", b"layer")
    assert get(hub) == 200
    denied = hub.get(BUSYBOX.replace("latest", "old"), hub.token("alice", "library/busybox"))
    assert denied.error()["code"] == "DENIED"


def test_the_mirror_itself_is_not_asked_about() -> None:
    """What it pulls by itself, or an operator has it pull, has no address."""
    assert DENY_ALL.objection(asked(MANIFEST, address="")) is None
    assert DENY_ALL.objection(asked(MANIFEST)) is not None


@pytest.mark.parametrize("subject", [Ping(), Preflight(), Refusal(ValueError())])  # type: ignore[arg-type]
def test_rules_are_about_repositories(subject: Subject) -> None:
    """Not about what names none."""
    assert DENY_ALL.objection(asked(subject)) is None


def test_the_list_of_all_is_about_all() -> None:
    assert DENY_ALL.objection(asked(CatalogRequest())) is not None


def test_the_user_of_a_certificate_is_the_rules_user() -> None:
    """Where nobody logs in here, a credential is the upstream's, and tells nothing."""
    rules = Rulebook([Rule("allow", users=("alice",)), Rule("deny")], {})
    access = Access(rules, ByCertificate(), Names(Registries("docker.io")))
    alice = Client("192.0.2.1", "http://mirror.example", user="alice")
    question = Question("GET", MANIFEST, alice, "Basic YWxpY2U6eA==")
    assert access.objection(question) is None
    assert access.user_of(question) == "alice"
    assert access.objection(asked(MANIFEST)) is not None


def test_rules_are_asked_about_a_login_that_was_looked_at_meanwhile() -> None:
    """It was not known when the question came, and is when it is decided about."""

    @implementer(IIdentities)
    class Meanwhile:
        def __init__(self) -> None:
            self.found: Identity | None = None

        def known(self, question: Question) -> Identity | None:
            return self.found

        async def find(self, question: Question) -> Identity:
            return Identity("alice")

    identities = Meanwhile()
    rules = Rulebook([Rule("deny", users=("alice",))], {})
    access = Access(rules, identities, Names(Registries("docker.io")), "required")
    client = Client("192.0.2.1", "http://mirror.example")
    question = Question("GET", MANIFEST, client, "Basic YWxpY2U6eA==")
    assert access.objection(question) is None
    identities.found = Identity("alice")
    with pytest.raises(Denied):
        access.decide(question).send(None)
