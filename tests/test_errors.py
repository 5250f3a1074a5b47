"""Errors know the status, the code and the words that they become."""

from __future__ import annotations

import pytest

from hubmirror import errors
from hubmirror.errors import HubmirrorError, RegistryError, TooManyRequests

PUBLIC = [getattr(errors, name) for name in errors.__all__]
REGISTRY_ERRORS = [kind for kind in PUBLIC if issubclass(kind, RegistryError)]


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("BadRequest", 400, "UNSUPPORTED"),
        ("Denied", 403, "DENIED"),
        ("DigestInvalid", 400, "DIGEST_INVALID"),
        ("ManifestInvalid", 404, "MANIFEST_INVALID"),
        ("NameInvalid", 404, "NAME_INVALID"),
        ("NotFound", 404, "UNSUPPORTED"),
        ("TooManyRequests", 429, "TOOMANYREQUESTS"),
        ("Unsupported", 405, "UNSUPPORTED"),
        ("UpstreamFailure", 502, "UNAVAILABLE"),
        ("UpstreamRefused", 502, "UNAVAILABLE"),
        ("UpstreamTimeout", 504, "UNAVAILABLE"),
    ],
)
def test_status_and_code(name: str, status: int, code: str) -> None:
    """What clients decide by."""
    error = getattr(errors, name)()
    assert (error.status, error.code) == (status, code)


@pytest.mark.parametrize("kind", REGISTRY_ERRORS)
def test_every_error_has_words_of_its_own(kind: type[RegistryError]) -> None:
    """A default sentence for a person, and another where the place knows better."""
    assert kind().message == kind.default_message == str(kind())
    assert kind("another").message == str(kind("another")) == "another"


@pytest.mark.parametrize("kind", PUBLIC)
def test_every_error_has_one_root(kind: type[Exception]) -> None:
    """Who wants all of this project's errors needs to name one."""
    assert issubclass(kind, HubmirrorError)


def test_headers_and_detail_are_its_own() -> None:
    """An error keeps what it was given, and shares it with no other error."""
    given = {"Retry-After": "1"}
    error = TooManyRequests(detail={"limit": 5}, headers=given)
    given["Retry-After"] = "2"
    assert error.headers == {"Retry-After": "1"}
    assert error.detail == {"limit": 5}
    assert TooManyRequests().headers == {}
    assert TooManyRequests().detail is None
