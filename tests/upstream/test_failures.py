"""Tests of hubmirror.upstream.failures."""

from __future__ import annotations

import errno

import pytest
from OpenSSL import SSL
from twisted.internet import defer, error
from twisted.python.failure import Failure
from twisted.web.client import (
    RequestTransmissionFailed,
    ResponseFailed,
    ResponseNeverReceived,
)

from hubmirror.errors import UpstreamFailure, UpstreamRefused, UpstreamTimeout
from hubmirror.upstream.failures import (
    ConnectTimeout,
    LookupFailed,
    LookupTimeout,
    describe_failure,
)

SECRET = "https://cdn.example/?signature=secret"


@pytest.mark.parametrize(
    ("exception", "sentence"),
    [
        (error.ConnectionRefusedError(), "hub refused the connection"),
        (error.NoRouteError(), "there is no network route to hub"),
        (error.ConnectError(errno.EHOSTUNREACH), "hub cannot be reached: no route to host"),
        (error.ConnectError(), "hub cannot be reached"),
        (error.DNSLookupError(SECRET), "the host name of hub was not found"),
        (LookupFailed("the host name x was not found"), "the host name x was not found"),
        (SSL.Error([("", "", SECRET)]), "the TLS connection to hub failed"),
        (error.ConnectionLost(SECRET), "hub broke the connection off"),
        (error.ConnectionDone(), "hub broke the connection off"),
        (defer.CancelledError(), "the request to hub was given up"),
        (ValueError(SECRET), "the request to hub failed"),
    ],
)
def test_sentences(exception: Exception, sentence: str) -> None:
    """Every failure is a sentence with the peer in it, and nothing of the exception's text."""
    described = describe_failure(Failure(exception), "hub")
    assert type(described) is UpstreamFailure
    assert described.message == sentence


@pytest.mark.parametrize(
    ("exception", "sentence"),
    [
        (error.TimeoutError(), "hub did not answer in time"),
        (error.TCPTimedOutError(), "hub did not answer in time"),
        (defer.TimeoutError(), "hub did not answer in time"),
        (ConnectTimeout("connecting took long"), "connecting took long"),
        (LookupTimeout("no name server answered"), "no name server answered"),
    ],
)
def test_timeouts(exception: Exception, sentence: str) -> None:
    """What took too long is a 504."""
    described = describe_failure(Failure(exception), "hub")
    assert type(described) is UpstreamTimeout
    assert described.message == sentence


@pytest.mark.parametrize(
    ("wrapper", "cause", "sentence"),
    [
        (ResponseNeverReceived, error.ConnectionDone(), "broke the connection off"),
        (RequestTransmissionFailed, error.ConnectionLost(), "broke the connection off"),
        (ResponseFailed, ValueError(SECRET), "sent an answer that is not valid HTTP"),
    ],
)
def test_wrapped(wrapper: type[Exception], cause: Exception, sentence: str) -> None:
    """What Twisted's HTTP client wraps is looked into."""
    described = describe_failure(Failure(wrapper([Failure(cause)])))
    assert described.message == f"the upstream registry {sentence}"


def test_own_errors_pass() -> None:
    """A refusal stays the refusal it is."""
    refused = UpstreamRefused("not there")
    assert describe_failure(Failure(refused)) is refused
    assert describe_failure(Failure(ResponseFailed([Failure(refused)]))) is refused


def test_error_types_stay_twisteds() -> None:
    """Who sorts errors by Twisted's types finds ours among them."""
    assert issubclass(LookupTimeout, error.DNSLookupError)
    assert issubclass(ConnectTimeout, error.ConnectError)
