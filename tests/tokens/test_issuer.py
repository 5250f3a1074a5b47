"""Tokens of the mirror's own."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from hubmirror.naming import Scope
from hubmirror.tokens.issuer import Issuer

EPOCH = 1_700_000_000.0
BUSYBOX = Scope("repository", "library/busybox", ("pull",))


class Mirror:
    """An issuer with a key in a folder, and the clock that it goes by."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.key_file = folder / "token.key"
        self.issuer = self.restarted()

    def restarted(self) -> Issuer:
        """Another issuer of the same folder."""
        return Issuer(self.key_file, lambda: EPOCH + self.clock.seconds())

    def bearer(self, *scopes: Scope, lifetime: float = 300) -> str:
        """A fresh token, as a client sends it."""
        return f"Bearer {self.issuer.issue(scopes, lifetime)['token']}"


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    return Mirror(tmp_path)


def claims_of(bearer: str) -> dict[str, Any]:
    """What a client reads in a token."""
    claims: dict[str, Any] = jwt.decode(
        bearer.partition(" ")[2], options={"verify_signature": False}
    )
    return claims


def test_what_a_client_gets(mirror: Mirror) -> None:
    """The fields of a token answer, old name and new."""
    answer = mirror.issuer.issue([BUSYBOX], 300)
    assert answer["token"] == answer["access_token"]
    assert answer["expires_in"] == 300
    assert answer["issued_at"] == "2023-11-14T22:13:20Z"
    assert set(answer) == {"token", "access_token", "expires_in", "issued_at"}


def test_what_a_token_says(mirror: Mirror) -> None:
    """The claims of a registry's token, and which key signed it."""
    bearer = mirror.bearer(BUSYBOX)
    claims = claims_of(bearer)
    assert claims["iss"] == "hubmirror"
    assert (claims["iat"], claims["exp"]) == (EPOCH, EPOCH + 300)
    assert claims["access"] == [
        {"type": "repository", "name": "library/busybox", "actions": ["pull"]}
    ]
    header = jwt.get_unverified_header(bearer.partition(" ")[2])
    assert header["alg"] == "HS256"
    assert header["kid"]


def test_it_is_recognised(mirror: Mirror) -> None:
    """With what it lists and when it ends, after a restart, too; the scheme is in any case."""
    bearer = mirror.bearer(BUSYBOX, Scope("repository", "a/b", ("pull", "push")))
    for issuer in (mirror.issuer, mirror.restarted()):
        for written in (bearer, bearer.replace("Bearer", "bearer")):
            granted = issuer.recognise(written)
            assert granted is not None
            assert granted.repositories == {"library/busybox", "a/b"}
            assert granted.expires == EPOCH + 300
            assert issuer.looks_ours(written)


def test_a_token_for_nothing(mirror: Mirror) -> None:
    """``docker login`` asks for no repository."""
    granted = mirror.issuer.recognise(mirror.bearer())
    assert granted is not None
    assert granted.repositories == frozenset()


def test_only_pull_is_granted(mirror: Mirror) -> None:
    """Pushes, catalogs and names outside the grammar are left out; nothing stands there twice."""
    bearer = mirror.bearer(
        Scope("repository", "pushed/to", ("push",)),
        Scope("repository", "both/of", ("pull", "push")),
        Scope("repository", "all/of", ("*",)),
        Scope("registry", "catalog", ("*",)),
        Scope("repository", "Not A Name", ("pull",)),
        Scope("repository", "both/of", ("pull",)),
    )
    access = claims_of(bearer)["access"]
    assert [one["name"] for one in access] == ["both/of", "all/of"]
    assert all(one["actions"] == ["pull"] for one in access)


def test_a_token_fits_into_a_header(mirror: Mirror) -> None:
    """However much a client asks for, its next request stays below 16 KiB."""
    names = (f"{'a' * 200}/{'b' * 40}{number}" for number in range(1000))
    assert len(mirror.bearer(*(Scope("repository", name, ("pull",)) for name in names))) < 14_000


def test_no_token_lives_less_than_a_minute(mirror: Mirror) -> None:
    """Old clients take such a one for broken."""
    assert mirror.issuer.issue([], 5)["expires_in"] == 60


def test_its_end(mirror: Mirror) -> None:
    """Some time after it the token opens nothing, and is ours for ever."""
    bearer = mirror.bearer(BUSYBOX)
    mirror.clock.advance(330)
    assert mirror.issuer.recognise(bearer) is not None
    mirror.clock.advance(30)
    assert mirror.issuer.recognise(bearer) is None
    mirror.clock.advance(10**8)
    assert mirror.issuer.looks_ours(bearer)


def test_a_clock_that_was_set_back(mirror: Mirror, tmp_path: Path) -> None:
    """A token from the future is one all the same."""
    bearer = mirror.bearer(BUSYBOX)
    assert Issuer(mirror.key_file, lambda: EPOCH - 7200).recognise(bearer) is not None


def test_another_mirrors_token(mirror: Mirror, tmp_path: Path) -> None:
    """It is none of ours: before a mirror may stand a mirror, and its token goes up there."""
    (tmp_path / "other").mkdir()
    bearer = Mirror(tmp_path / "other").bearer(BUSYBOX)
    assert mirror.issuer.recognise(bearer) is None
    assert not mirror.issuer.looks_ours(bearer)


def forged(bearer: str, kind: str) -> str:
    """A token that its bearer has changed."""
    scheme, _, token = bearer.partition(" ")
    head, payload, signature = token.split(".")
    claims = claims_of(bearer)
    claims["access"].append({"type": "repository", "name": "x/y", "actions": ["pull"]})
    header = jwt.get_unverified_header(token)
    none = urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    guessed = jwt.encode(claims, b"0" * 32, "HS256", headers={"kid": header["kid"]})
    return {
        "payload": f"{scheme} {head}.{guessed.split('.')[1]}.{signature}",
        "none": f"{scheme} {none}.{payload}.",
        "unsigned": f"{scheme} {head}.{payload}.",
        "cut": f"{scheme} {head}.{payload}",
        "key": f"{scheme} {guessed}",
        "basic": f"Basic {token}",
        "bare": token,
        "not-ascii": f"{scheme} {head}.{payload}.\xfc",
        "surrogate": f"{scheme} {head}.{payload}.\ud800",
        "more-dots": f"{scheme} {token}.{signature}",
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        *("payload", "none", "unsigned", "cut", "key", "basic"),
        *("bare", "not-ascii", "surrogate", "more-dots"),
    ],
)
def test_a_forged_token(mirror: Mirror, kind: str) -> None:
    """What this key has not signed, as a Bearer token, is not ours."""
    written = forged(mirror.bearer(BUSYBOX), kind)
    assert mirror.issuer.recognise(written) is None
    assert not mirror.issuer.looks_ours(written)


@pytest.mark.parametrize("written", [None, "", "Bearer", "Bearer ", "Bearer x", "Bearer ..", "x y"])
def test_what_is_no_token(mirror: Mirror, written: str | None) -> None:
    """Nothing at all, and other things."""
    assert mirror.issuer.recognise(written) is None


def test_hostile_headers_are_not_parsed(mirror: Mirror) -> None:
    """JSON that is nested without an end costs nothing."""
    nested = urlsafe_b64encode(b"[" * 200_000).decode()
    assert not mirror.issuer.looks_ours(f"Bearer {nested}.{nested}.{nested}")


@pytest.fixture(scope="module")
def old_mirror(tmp_path_factory: pytest.TempPathFactory) -> Mirror:
    return Mirror(tmp_path_factory.mktemp("key"))


@given(written=st.text())
def test_any_text(old_mirror: Mirror, written: str) -> None:
    """Whatever a client sends after a true beginning, it is refused in silence."""
    head = old_mirror.bearer(BUSYBOX).partition(".")[0]
    assert not old_mirror.issuer.looks_ours(f"{head}.{written}")
