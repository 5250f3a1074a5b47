"""Questions and answers: plain values that keep secrets out of sight."""

from __future__ import annotations

import pytest
from attrs.exceptions import FrozenInstanceError

from hubmirror.question import Answer, Client, Ping, Question, TokenRequest

CLIENT = Client("192.0.2.1", "http://mirror.example:5000")
SECRET = "hunter2"


def test_a_header_is_found_in_any_case() -> None:
    """The first of several is the one."""
    answer = Answer(200, (("ETag", "a"), ("Link", "b"), ("LINK", "c")))
    assert answer.header("etag") == "a"
    assert answer.header("lInK") == "b"
    assert answer.header("Location") is None


def test_a_credential_is_not_shown() -> None:
    """A question may stand in a log or a traceback; ``Authorization`` may not."""
    question = Question("GET", Ping(), CLIENT, credential=f"Bearer {SECRET}")
    assert SECRET not in repr(question)
    assert question.credential == f"Bearer {SECRET}"


def test_a_token_requests_parameters_are_not_shown() -> None:
    """A form holds a password, also within a question."""
    request = TokenRequest((("password", SECRET),), is_form=True)
    assert SECRET not in repr(request)
    assert SECRET not in repr(Question("POST", request, CLIENT))


def test_equal_questions_are_one_key() -> None:
    """Values are compared, and may be looked up by."""
    first, second = (Question("GET", Ping(), CLIENT, accept=("*/*",)) for _ in range(2))
    assert first == second
    assert len({first, second}) == 1
    assert first != Question("HEAD", Ping(), CLIENT, accept=("*/*",))


@pytest.mark.parametrize("value", [CLIENT, Question("GET", Ping(), CLIENT), Answer(200)])
def test_values_do_not_change(value: object) -> None:
    """Whoever holds one may keep it."""
    with pytest.raises(FrozenInstanceError):
        value.status = 500  # type: ignore[attr-defined]
