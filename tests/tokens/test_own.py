"""The mirror's own tokens: fetched, kept, renewed, and never a storm of logins."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import capturedLogs, eventAsText

from hubmirror.errors import UpstreamFailure
from hubmirror.tokens.credentials import ANONYMOUS, LoginRefused
from hubmirror.tokens.own import OwnTokens
from tests.tokens.token_hub import BUSYBOX, EPOCH, TokenHub, outcome, repository
from tests.upstream.remote import error_of, result_of

RIGHT = ("mirror", "right")
WRONG = ("mirror", "s3cret")
ALPINE = repository("library/alpine")


@pytest.fixture
def hub() -> TokenHub:
    return TokenHub()


def asking(tokens: OwnTokens, name: str = "library/busybox") -> Deferred[str | None]:
    """A question for the authorization of one repository."""
    return Deferred.fromCoroutine(tokens.authorization(repository(name)))


def refused(tokens: OwnTokens, name: str = "library/busybox") -> LoginRefused:
    """The error of a question whose login was refused."""
    return error_of(asking(tokens, name), LoginRefused)


def test_an_anonymous_token(hub: TokenHub) -> None:
    """The realm and the service are the challenge's, the scope is the repository's."""
    tokens = hub.tokens()
    assert result_of(tokens.authorization(BUSYBOX)) == "Bearer t1"
    (asked,) = hub.token_requests()
    assert asked.path == "/token"
    assert asked.query == {"service": "hub", "scope": "repository:library/busybox:pull"}
    assert asked.authorization is None
    assert tokens.status() == ANONYMOUS


def test_other_actions_are_another_token(hub: TokenHub) -> None:
    """The scope lists them, and neither token stands for the other."""
    tokens = hub.tokens()
    assert result_of(tokens.authorization(BUSYBOX)) == "Bearer t1"
    assert result_of(tokens.authorization(BUSYBOX, ("pull", "push"))) == "Bearer t2"
    assert hub.token_requests()[1].query["scope"] == "repository:library/busybox:pull,push"


def test_a_token_of_an_account(hub: TokenHub) -> None:
    """The login is tried once, for no repository; then each has its own token."""
    tokens = hub.tokens(RIGHT)
    assert tokens.status().ok is None
    assert result_of(tokens.authorization(BUSYBOX)) == "Bearer t2"
    assert result_of(tokens.authorization(ALPINE)) == "Bearer t3"
    assert [asked.query.get("scope") for asked in hub.token_requests()] == [
        None,
        "repository:library/busybox:pull",
        "repository:library/alpine:pull",
    ]
    assert {asked.login for asked in hub.token_requests()} == {"mirror:right"}
    assert tokens.status().ok is True
    assert "auth.example" in tokens.status().message


@pytest.mark.parametrize(
    ("grant", "life"),
    [
        ({"expires_in": 300}, 290),
        ({}, 54),
        ({"expires_in": "soon"}, 54),
        ({"expires_in": 10}, 9),
        ({"expires_in": 10**9}, 86390),
    ],
)
def test_a_token_is_kept_until_shortly_before_its_end(
    hub: TokenHub, grant: dict[str, object], life: float
) -> None:
    """Its life is what the server says, a minute if it says nothing, a day at most."""
    hub.grant = grant
    tokens = hub.tokens()
    result_of(tokens.authorization(BUSYBOX))
    hub.clock.advance(life - 0.01)
    assert result_of(tokens.authorization(BUSYBOX)) == "Bearer t1"
    hub.clock.advance(0.02)
    assert result_of(tokens.authorization(BUSYBOX)) == "Bearer t2"


def test_an_answer_that_comes_late_has_less_life(hub: TokenHub) -> None:
    """It counts from the asking, since nobody knows when the server began to count."""
    hub.is_slow = True
    tokens = hub.tokens()
    results = outcome(asking(tokens))
    hub.clock.advance(20)
    hub.release()
    assert results == ["Bearer t1"]
    hub.clock.advance(271)
    assert result_of(tokens.authorization(BUSYBOX)) == "Bearer t2"


def test_all_who_ask_at_once_share_one_request(hub: TokenHub) -> None:
    """One of them leaves, and the others notice nothing."""
    hub.is_slow = True
    tokens = hub.tokens()
    questions = [asking(tokens) for _ in range(5)]
    results = [outcome(question) for question in questions]
    questions[0].cancel()
    assert results[0][0].check(CancelledError)
    hub.release()
    assert results[1:] == [["Bearer t1"]] * 4
    assert len(hub.token_requests()) == 1


def test_forgotten_is_asked_anew(hub: TokenHub) -> None:
    """What the upstream refused is not sent again; other repositories keep theirs."""
    tokens = hub.tokens()
    result_of(tokens.authorization(BUSYBOX))
    result_of(tokens.authorization(ALPINE))
    tokens.forget(BUSYBOX)
    assert result_of(tokens.authorization(BUSYBOX)) == "Bearer t3"
    assert result_of(tokens.authorization(ALPINE)) == "Bearer t2"


@pytest.mark.parametrize("login", [None, RIGHT])
def test_an_upstream_that_wants_no_token(hub: TokenHub, login: tuple[str, str] | None) -> None:
    """It gets none, and no password either; for a minute it isn't asked again."""
    hub.challenge = None
    tokens = hub.tokens(login)
    assert result_of(tokens.authorization(BUSYBOX)) is None
    asked = len(hub.asked)
    hub.clock.advance(59)
    assert result_of(tokens.authorization(BUSYBOX)) is None
    assert len(hub.asked) == asked
    assert {one.authorization for one in hub.asked} == {None}
    hub.challenge = 'Bearer realm="https://auth.example/token"'
    hub.clock.advance(2)
    assert (result_of(tokens.authorization(BUSYBOX)) or "").startswith("Bearer ")


def test_an_upstream_that_challenges_basic(hub: TokenHub) -> None:
    """The account itself is the answer, once the upstream took it; without one there is none."""
    hub.challenge = 'Basic realm="hub"'
    tokens = hub.tokens(RIGHT)
    assert result_of(tokens.authorization(BUSYBOX)) == "Basic bWlycm9yOnJpZ2h0"
    assert tokens.status().ok is True
    assert result_of(hub.tokens().authorization(BUSYBOX)) is None


def test_a_wrong_password_at_a_basic_upstream(hub: TokenHub) -> None:
    """It is backed off there, too."""
    hub.challenge = 'Basic realm="hub"'
    tokens = hub.tokens(WRONG)
    refused(tokens)
    asked = len(hub.asked)
    refused(tokens)
    assert len(hub.asked) == asked
    assert [one.login for one in hub.asked if one.login] == ["mirror:s3cret"]


def test_a_wrong_password_is_no_storm(hub: TokenHub) -> None:
    """An hour of constant questions is a dozen tries, at doubling distances."""
    tokens = hub.tokens(WRONG)
    tries: list[float] = []
    for second in range(3600):
        before = len(hub.token_requests())
        refused(tokens, f"library/r{second % 7}")
        tries += [hub.clock.seconds()] * (len(hub.token_requests()) - before)
        hub.clock.advance(1)
    waits = [after - before for before, after in pairwise(tries)]
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600, 600]
    assert {asked.query.get("scope") for asked in hub.token_requests()} == {None}
    assert len(hub.asked) == 2 * len(tries)  # no more pings, either


def test_a_refused_login_is_told(hub: TokenHub) -> None:
    """By the error, by the status, and once a try in the log; never with the password."""
    tokens = hub.tokens(WRONG)
    with capturedLogs() as events:
        for _ in range(3):
            error = refused(tokens)
    status = tokens.status()
    assert status.ok is False
    assert status.next_try == EPOCH + 1
    assert "auth.example refuses" in status.message
    assert (error.status, error.headers) == (502, {"Retry-After": "1"})
    lines = [eventAsText(event) for event in events]
    assert sum("refuses the mirror's own login (401)" in line for line in lines) == 1
    assert "s3cret" not in f"{lines}{error}{status}{vars(error)}"


def test_one_try_at_a_time(hub: TokenHub) -> None:
    """At the start all wait for the first try; later all but the one that tries fail at once."""
    hub.is_slow = True
    tokens = hub.tokens(WRONG)
    first = [outcome(asking(tokens, f"library/r{number}")) for number in range(5)]
    assert len(hub.token_requests()) == 1
    hub.release()
    assert all(results[0].check(LoginRefused) for results in first)
    hub.clock.advance(1)
    hub.is_slow = True
    trying = outcome(asking(tokens))
    assert trying == []
    refused(tokens, "library/alpine")
    assert len(hub.token_requests()) == 2
    hub.release()
    assert trying[0].check(LoginRefused)


def test_a_login_that_is_right_again(hub: TokenHub) -> None:
    """The next try finds that out, and all go on."""
    tokens = hub.tokens(WRONG)
    refused(tokens)
    hub.login = "mirror:s3cret"
    hub.clock.advance(1)
    assert (result_of(tokens.authorization(BUSYBOX)) or "").startswith("Bearer ")
    assert tokens.status().ok is True
    assert tokens.status().next_try is None


def test_a_password_that_is_changed_upstream(hub: TokenHub) -> None:
    """What was granted serves to its end; then the login is refused, and backed off."""
    tokens = hub.tokens(RIGHT)
    result_of(tokens.authorization(BUSYBOX))
    hub.login = "mirror:other"
    assert refused(tokens, "library/alpine")
    assert result_of(tokens.authorization(BUSYBOX)) == "Bearer t2"
    asked = len(hub.token_requests())
    refused(tokens, "library/other")
    assert len(hub.token_requests()) == asked


def test_a_password_in_doubt_is_tried_once(hub: TokenHub) -> None:
    """As soon as one token is refused, nobody else sends the password until it was tried."""
    tokens = hub.tokens(RIGHT)
    result_of(tokens.log_in())
    hub.login = "mirror:other"
    hub.is_slow = True
    first = outcome(asking(tokens, "library/alpine"))
    hub.release(is_slow=True)
    asked = len(hub.token_requests())
    second = outcome(asking(tokens, "library/other"))
    assert len(hub.token_requests()) == asked
    hub.release()
    assert first[0].check(LoginRefused)
    assert second[0].check(LoginRefused)
    assert len(hub.token_requests()) == asked


@pytest.mark.parametrize("status", [401, 403])
def test_a_repository_that_is_refused_is_no_wrong_password(hub: TokenHub, status: int) -> None:
    """One client's wish can't lock the mirror out: the registry will say what it thinks."""
    hub.refused_scopes["repository:theirs/secret:pull"] = status
    tokens = hub.tokens(RIGHT)
    assert result_of(tokens.authorization(repository("theirs/secret"))) == "Bearer t2"
    assert tokens.status().ok is True
    assert result_of(tokens.authorization(BUSYBOX)) == "Bearer t3"
    asked = len(hub.token_requests())
    result_of(tokens.authorization(repository("theirs/secret")))
    assert len(hub.token_requests()) == asked


def test_a_repository_that_is_refused_to_anybody(hub: TokenHub) -> None:
    """Without an account there is nothing to send, and for a minute nothing to ask."""
    hub.refused_scopes["repository:theirs/secret:pull"] = 403
    tokens = hub.tokens()
    for _ in range(2):
        assert result_of(tokens.authorization(repository("theirs/secret"))) is None
    assert len(hub.token_requests()) == 1
    hub.clock.advance(61)
    result_of(tokens.authorization(repository("theirs/secret")))
    assert len(hub.token_requests()) == 2


def test_logging_in_at_the_start(hub: TokenHub) -> None:
    """The password is tried before anybody asks for an image; there may be none to try."""
    right, wrong = hub.tokens(RIGHT), hub.tokens(WRONG)
    result_of(right.log_in())
    result_of(right.log_in())
    assert right.status().ok is True
    assert len(hub.token_requests()) == 1
    with pytest.raises(LoginRefused):
        result_of(wrong.log_in())
    result_of(hub.tokens().log_in())
    assert len(hub.token_requests()) == 2


def answering(status: int, body: bytes, **fields: str) -> Callable[[Any], bytes]:
    """A token server that always says this."""

    def answer(request: Any) -> bytes:
        request.setResponseCode(status)
        for name, value in fields.items():
            request.setHeader(name.replace("_", "-"), value)
        return body

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        answering(503, b"secret words", retry_after="7"),
        answering(404, b"secret words"),
        answering(200, b"secret words"),
        answering(200, b"[1]"),
        answering(200, json.dumps({"token": "a\r\nX-Evil: secret words"}).encode()),
        answering(200, json.dumps({"token": "t", "pad": "x" * 70_000}).encode()),
    ],
    ids=["503", "404", "no-json", "no-object", "split", "large"],
)
@pytest.mark.parametrize("login", [None, RIGHT])
def test_an_answer_that_is_no_token(
    hub: TokenHub, answer: Callable[[Any], bytes], login: tuple[str, str] | None
) -> None:
    """It is a failure of the upstream and says nothing of a password; the next one is asked."""
    hub.answer = answer
    tokens = hub.tokens(login)
    error = error_of(asking(tokens), UpstreamFailure)
    assert not isinstance(error, LoginRefused)
    assert "secret words" not in str(error)
    assert tokens.status().ok is not False
    hub.answer = None
    assert (result_of(tokens.authorization(BUSYBOX)) or "").startswith("Bearer ")


def test_a_pause_that_the_token_server_asks_for_is_passed_on(hub: TokenHub) -> None:
    """Whoever waits learns when to come back."""
    hub.answer = answering(503, b"", retry_after="7")
    error = error_of(asking(hub.tokens()), UpstreamFailure)
    assert error.headers == {"Retry-After": "7"}


def test_a_realm_that_has_moved_is_found(hub: TokenHub) -> None:
    """After a failure the upstream is asked where its tokens come from now."""
    tokens = hub.tokens()
    result_of(tokens.authorization(BUSYBOX))
    hub.answer = answering(404, b"")
    error_of(asking(tokens, "library/alpine"), UpstreamFailure)
    hub.challenge = 'Bearer realm="https://auth.example/moved?a=b",service="hub"'
    hub.answer = None
    result_of(tokens.authorization(ALPINE))
    asked = hub.token_requests()[-1]
    assert asked.path == "/moved"
    assert asked.query == {
        "a": "b",
        "service": "hub",
        "scope": "repository:library/alpine:pull",
    }
