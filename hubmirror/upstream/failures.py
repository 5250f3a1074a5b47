"""What went wrong on the way to an upstream, in a sentence for the person at the client."""

from __future__ import annotations

import os
from typing import Final

from OpenSSL import SSL
from twisted.internet import defer, error
from twisted.python.failure import Failure
from twisted.web.client import (
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseFailed,
)

from hubmirror.errors import UpstreamFailure, UpstreamTimeout

__all__ = ["ConnectTimeout", "LookupFailed", "LookupTimeout", "describe_failure"]

_WRAPPERS: Final = (RequestGenerationFailed, RequestTransmissionFailed, ResponseFailed)


class _Explained(Exception):
    """An error whose one argument is a sentence that a person may read."""

    def __str__(self) -> str:
        return str(self.args[0])


class LookupFailed(_Explained, error.DNSLookupError):
    """The name server knows no address of a name, or says that it cannot tell."""


class LookupTimeout(LookupFailed):
    """No name server answered in time."""


class ConnectTimeout(_Explained, error.TimeoutError):
    """Name, TCP, proxy and TLS together took longer than the limit."""

    def __init__(self, sentence: str) -> None:
        Exception.__init__(self, sentence)


#: The first that fits counts. ``{peer}`` is whom the mirror was speaking to.
_SENTENCES: Final[tuple[tuple[tuple[type[BaseException], ...], str], ...]] = (
    ((error.ConnectionRefusedError,), "{peer} refused the connection"),
    ((error.NoRouteError,), "there is no network route to {peer}"),
    ((error.DNSLookupError, error.UnknownHostError), "the host name of {peer} was not found"),
    ((SSL.Error,), "the TLS connection to {peer} failed"),
    ((error.ConnectionClosed, SSL.SysCallError), "{peer} broke the connection off"),
    ((defer.CancelledError, error.ConnectingCancelledError), "the request to {peer} was given up"),
)


def describe_failure(failure: Failure, peer: str = "the upstream registry") -> UpstreamFailure:
    """The ``UpstreamFailure`` that tells of ``failure``: what the client is answered.

    ``peer`` names whom the mirror was speaking to, as in ``registry-1.docker.io``. What is an
    ``UpstreamFailure`` already comes back as it is. Time-outs become an ``UpstreamTimeout``.
    The sentence never holds the text of an exception from outside this package.
    """
    value, was_sent = _unwrapped(failure.value)
    if isinstance(value, UpstreamFailure):
        return value
    if isinstance(value, (error.TimeoutError, error.TCPTimedOutError, defer.TimeoutError)):
        return UpstreamTimeout(_own_words(value) or f"{peer} did not answer in time")
    if isinstance(value, LookupTimeout):
        return UpstreamTimeout(str(value))
    return UpstreamFailure(_own_words(value) or _sentence(value, was_sent).format(peer=peer))


def _unwrapped(value: BaseException | None) -> tuple[BaseException | None, bool]:
    """The cause inside Twisted's wrappers, and whether a request had been sent by then."""
    was_sent = False
    while isinstance(value, _WRAPPERS) and value.reasons:
        value, was_sent = value.reasons[0].value, True
    return value, was_sent


def _own_words(value: BaseException | None) -> str | None:
    return str(value) if isinstance(value, _Explained) else None


def _sentence(value: BaseException | None, was_sent: bool) -> str:
    for types, sentence in _SENTENCES:
        if isinstance(value, types):
            return sentence
    if isinstance(value, error.ConnectError):
        number = value.osError
        why = f": {os.strerror(number).lower()}" if isinstance(number, int) else ""
        return f"{{peer}} cannot be reached{why}"
    if was_sent:  # what is left is what the parser raises
        return "{peer} sent an answer that is not valid HTTP"
    return "the request to {peer} failed"
