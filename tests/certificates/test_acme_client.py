"""Getting a certificate: from a server of ours, which does what a real one seldom does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import evolve

from hubmirror.certificates.acme_challenges import Challenges
from hubmirror.certificates.acme_client import AcmeClient
from hubmirror.certificates.acme_failures import AcmeFailed
from hubmirror.certificates.acme_server import AcmeServer
from hubmirror.certificates.acme_store import AcmeStore
from hubmirror.certificates.acme_ways import HTTP, TLS, Ways
from hubmirror.certificates.files import CertificateError
from hubmirror.certificates.issuing import names_of
from tests.certificates.acme_server import AcmeServerForTests, problem, token

NAMES = ("hub.example.net", "hub.example.com")


class Scene:
    """A server, and a client that trusts it."""

    def __init__(self, folder: Path) -> None:
        self.server = AcmeServerForTests(folder)
        self.store = AcmeStore(folder / "acme", self.server.directory)
        self.challenges = Challenges()
        self.known = AcmeServer(self.server.directory, self.server.ca.certificate)

    def client(self, **changes: Any) -> AcmeClient:
        """One that has just been made: all it knows is in the store."""
        known = evolve(self.known, **changes)
        return AcmeClient(known, self.store, self.ways(), Event())

    def ways(self, *order: str) -> Ways:
        """HTTP alone, unless others are named."""
        return Ways(order or (HTTP,), self.challenges, self.store.proofs)

    def why_not(self, **changes: Any) -> AcmeFailed:
        """How it fails."""
        with pytest.raises(AcmeFailed) as caught:
            self.client(**changes).obtain(NAMES)
        return caught.value


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """The server ends with the test. It is quick, so the library need not wait for it."""
    monkeypatch.setattr("acme.client.time", SimpleNamespace(sleep=lambda _: None))
    made = Scene(tmp_path)
    yield made
    made.server.close()


def test_gets_a_certificate_and_keeps_it(scene: Scene) -> None:
    """For all names, on a key that fits, by one account however often."""
    pair = scene.client().obtain(NAMES)
    assert names_of(pair.chain[0]) == set(NAMES)
    assert len(pair.chain) == 2
    kept = scene.store.pair()
    assert kept is not None
    assert kept.chain == pair.chain
    again = scene.client().obtain(NAMES)
    assert again.chain[0].public_key() != pair.chain[0].public_key()
    assert scene.server.paths().count("/account") == 1
    told = dict(scene.server.asked)["/account"]
    assert told == {"termsOfServiceAgreed": True}


def test_what_proves_a_name_is_there_while_the_server_looks(scene: Scene) -> None:
    """And at no other time."""
    seen: list[str | None] = []
    really = scene.server.answer

    def look(path: str, payload: object) -> object:
        seen.append(scene.challenges.answer(token(1)))
        return really(path, payload)

    scene.server.answer = look  # type: ignore[method-assign,assignment]
    scene.client().obtain(NAMES)
    found = {one for one in seen if one is not None}
    assert len(found) == 1
    assert found.pop().startswith(f"{token(1)}.")
    assert seen[0] is seen[-1] is None
    assert scene.challenges.answer(token(1)) is None


def test_an_account_of_another_mail_address_is_changed(scene: Scene) -> None:
    """Once: the account stays the same."""
    scene.client(email="a@example.net").obtain(NAMES)
    assert dict(scene.server.asked)["/account"]["contact"] == ["mailto:a@example.net"]
    scene.client(email="b@example.net").obtain(NAMES)
    assert dict(scene.server.asked)["/account/1"]["contact"] == ["mailto:b@example.net"]
    scene.server.asked.clear()
    scene.client(email="b@example.net").obtain(NAMES)
    assert "/account/1" not in scene.server.paths()


def test_an_account_is_found_again_by_its_key(scene: Scene) -> None:
    """Where the file that names it is lost."""
    scene.client().obtain(NAMES)
    scene.store.forget_account()
    scene.client().obtain(NAMES)
    account = scene.store.account()
    assert account is not None
    assert account.url == f"{scene.server.url}/account/1"


def test_a_server_that_has_forgotten_us_gets_a_new_account(scene: Scene) -> None:
    """It was set up anew: what we remember of it is of no use."""
    scene.client().obtain(NAMES)
    scene.server.instead["/order"] = [problem("accountDoesNotExist", "who are you?", 400)]
    scene.client().obtain(NAMES)
    assert scene.server.paths().count("/account") == 2


def test_binds_the_account_to_one_that_the_operator_has(scene: Scene) -> None:
    """External account binding: the key's id and a signature, never the key."""
    scene.client(binding=("kid-1", "c2VjcmV0LXNlY3JldC1zZWNyZXQ")).obtain(NAMES)
    bound = dict(scene.server.asked)["/account"]["externalAccountBinding"]
    assert set(bound) == {"protected", "payload", "signature"}
    assert "secret" not in str(bound)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("connection", "could not connect to http://hub.example.net/.well-known/acme-challenge/t"),
        ("dns", "could not look up hub.example.net"),
        ("unauthorized", "got something else from http://hub.example.net/.well-known/"),
        ("caa", "CAA"),
        ("odd", "it says no more"),
    ],
)
def test_says_which_name_is_not_proved_and_why(scene: Scene, code: str, words: str) -> None:
    """In our words and in the server's."""
    scene.server.validation = problem(code, "connection\nrefused")[1]
    told = str(scene.why_not())
    assert told.startswith("hub.example.net is not proved to be ours")
    assert words in told
    assert told.endswith("(connection refused)")
    assert scene.challenges.answer(token(0)) is None


def test_says_when_a_server_wants_to_be_left_alone(scene: Scene) -> None:
    """Its rate limit, and its Retry-After."""
    limited = problem("rateLimited", "too many", 429, **{"Retry-After": "3600"})
    scene.server.instead["/order"] = [limited]
    error = scene.why_not()
    assert str(error) == "the server's rate limit is reached (too many)"
    assert error.retry_after == 3600


def test_a_proof_that_is_not_ours_to_give(scene: Scene) -> None:
    """The server wants what we can't do."""
    scene.server.challenges = ["dns-01"]
    assert "takes dns-01 alone" in str(scene.why_not())


def test_a_proof_by_tls_is_there_while_the_server_looks(scene: Scene) -> None:
    """A certificate for each name; what a crash has left is gone before."""
    scene.server.challenges = ["dns-01", TLS]
    proofs = scene.store.certificate_file.parent / "proofs"
    proofs.mkdir(parents=True)
    (proofs / "left.pem").touch()
    seen: list[list[str]] = []
    really = scene.server.answer

    def look(path: str, payload: object) -> object:
        seen.append(sorted(path.name for path in proofs.glob("*")))
        return really(path, payload)

    scene.server.answer = look  # type: ignore[method-assign,assignment]
    AcmeClient(scene.known, scene.store, scene.ways(HTTP, TLS), Event()).obtain(NAMES)
    assert seen[0] == seen[-1] == []
    assert ["hub.example.com.pem", "hub.example.net.pem"] in seen
    assert not proofs.exists()


def test_goes_another_way_the_next_time(scene: Scene) -> None:
    """Where one has failed; both are told with where the server looked."""
    scene.server.challenges = [HTTP, TLS]
    scene.server.validation = problem("connection", "refused")[1]
    client = AcmeClient(scene.known, scene.store, scene.ways(HTTP, TLS), Event())
    for found in ("http://hub.example.net/.well-known/", "port 443 of hub.example.net", "http://"):
        with pytest.raises(AcmeFailed, match=f"could not connect to {found}"):
            client.obtain(NAMES)
        scene.server.asked.clear()


def test_a_server_that_is_not_trusted(scene: Scene) -> None:
    """Neither by the platform nor by acme_ca: certifi's CAs count for nothing."""
    assert "its certificate is not trusted" in str(scene.why_not(ca=None))


def test_a_server_that_is_not_there(scene: Scene) -> None:
    """Nothing listens at port 9 of loopback."""
    told = str(scene.why_not(directory="https://127.0.0.1:9/directory"))
    assert told.startswith("https://127.0.0.1:9/directory could not be asked: no connection")
    assert "refused" in told


@pytest.mark.parametrize(
    "answer",
    [(200, [], {}), (200, {"newNonce": 7}, {}), (200, "hello", {}), (500, "x", {})],
)
def test_what_is_no_acme_server(scene: Scene, answer: tuple[int, object, dict[str, str]]) -> None:
    """Whatever it answers is a reason, not a defect."""
    scene.server.instead["/directory"] = [answer]
    assert scene.server.directory in str(scene.why_not())


def test_a_certificate_for_another_key_is_not_kept(scene: Scene) -> None:
    """The one there was stays."""
    pair = scene.client().obtain(NAMES)
    other = scene.server.ca.issue("other").read_text()
    scene.server.instead["/certificate"] = [(200, other, {"Content-Type": "application/pem"})]
    with pytest.raises(CertificateError, match="fits no certificate"):
        scene.client().obtain(NAMES)
    kept = scene.store.pair()
    assert kept is not None
    assert kept.chain == pair.chain


def test_stops_waiting_when_the_mirror_ends(scene: Scene) -> None:
    """A server that is in no hurry holds nobody up."""
    pending = scene.server._authz
    scene.server.challenges = ["http-01"]
    stopping = Event()
    client = AcmeClient(scene.known, scene.store, scene.ways(), stopping)

    def undecided(payload: object) -> object:
        status, told, headers = pending(payload)
        stopping.set()
        return status, {**told, "status": "pending"}, headers

    scene.server._authz = undecided  # type: ignore[method-assign,assignment]
    with pytest.raises(AcmeFailed, match="is ending"):
        client.obtain(NAMES)


def test_asks_when_to_renew(scene: Scene) -> None:
    """Within the window that the server suggests; without one it says nothing."""
    pair = scene.client().obtain(NAMES)
    assert scene.client().suggestion(pair.chain[0]).at is None
    start = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(days=3)
    scene.server.window = (start, start + timedelta(days=1))
    suggestion = scene.client().suggestion(pair.chain[0])
    assert suggestion.at is not None
    assert start <= suggestion.at <= start + timedelta(days=1)
    later = suggestion.ask_again - datetime.now(timezone.utc)
    assert timedelta(hours=5) < later < timedelta(hours=7)
    identifier = scene.server.paths()[-1].rpartition("/")[2]
    assert identifier.count(".") == 1


def test_a_server_that_fails_to_say_when_says_nothing(scene: Scene) -> None:
    """It has no bearing on what we do without."""
    pair = scene.client().obtain(NAMES)
    now = datetime.now(timezone.utc)
    scene.server.window = (now, now)
    really = scene.server.answer

    def failing(path: str, payload: object) -> object:
        return problem("serverInternal", "x", 500) if "renewal" in path else really(path, payload)

    scene.server.answer = failing  # type: ignore[method-assign,assignment]
    assert scene.client().suggestion(pair.chain[0]).at is None


def test_an_account_key_of_another_kind_is_refused(scene: Scene, tmp_path: Path) -> None:
    """It was put there by hand: nothing is lost, and nothing asked."""
    scene.store.account_key()
    path = next((tmp_path / "acme").glob("*/account.key"))
    path.write_text("no key")
    with pytest.raises(CertificateError, match=r"account\.key"):
        scene.client().obtain(NAMES)
    assert path.read_text() == "no key"
    assert scene.server.asked == []
