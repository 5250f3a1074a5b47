"""From what the ACME library raises to what an operator can do something about."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import requests
from acme import errors, messages
from josepy.errors import Error as JoseError

from hubmirror.certificates.acme_failures import AcmeFailed

__all__ = ["failed_validation", "in_plain_words"]

#: Errors of the server's that an operator meets (RFC 8555, section 6.7).
_WORDS: Final[Mapping[str, str]] = {
    "rateLimited": "the server's rate limit is reached",
    "externalAccountRequired": "the server wants acme_eab_kid and acme_eab_key_file",
    "rejectedIdentifier": "the server does not certify such a name",
    "invalidContact": "the server does not take acme_email",
    "unsupportedContact": "the server does not take acme_email",
    "userActionRequired": "the server wants something of you",
    "caa": "the DNS of the name lets other CAs alone certify it (CAA)",
    "serverInternal": "the server failed",
}
_VALIDATION: Final[Mapping[str, str]] = {
    "connection": "it could not connect to {where}",
    "dns": "it could not look up {name}",
    "unauthorized": "it got something else from {where}",
    "incorrectResponse": "it got something else from {where}",
    "tls": "TLS failed at {where}",
    "caa": "the DNS of {name} lets other CAs alone certify it (CAA)",
}
#: How much of a server's own words is told, in characters.
_LONGEST: Final = 400


@contextmanager
def in_plain_words(
    directory: str, retry_after: Callable[[], float | None] = lambda: None
) -> Iterator[None]:
    """Raise what the library raises as ``AcmeFailed``; ``retry_after`` is what the server wants.

    Errors of ours, such as ``CertificateError``, pass.
    """
    try:
        yield
    except messages.Error as error:
        raise AcmeFailed(_problem(error), retry_after()) from error
    except errors.IssuanceError as error:
        raise AcmeFailed(_problem(error.error), retry_after()) from error
    except errors.TimeoutError as error:
        raise AcmeFailed("the server took too long to decide") from error
    except requests.RequestException as error:
        raise AcmeFailed(_unreachable(directory, error), retry_after()) from error
    except errors.ClientError as error:
        raise AcmeFailed(_odd_answer(directory, error), retry_after()) from error
    except (errors.Error, JoseError, ValueError, LookupError, TypeError) as error:
        raise AcmeFailed(
            f"{directory} answers as no ACME server does: {_one_line(error)}"
        ) from error


def failed_validation(name: str, where: str, error: messages.Error | None) -> AcmeFailed:
    """Why the server is not content with what it found at ``where``, a URL of ``name``."""
    if error is None:
        return AcmeFailed(f"{name}: the server does not believe that it is ours, and not why")
    words = _VALIDATION.get(error.code or "", "it says " + (error.code or "no more"))
    told = words.format(name=name, where=where)
    return AcmeFailed(f"{name} is not proved to be ours: {told} ({_one_line(error.detail)})")


def _problem(error: messages.Error) -> str:
    words = _WORDS.get(error.code or "", "the server refuses")
    parts = [f"{words} ({_one_line(error.detail or error.typ)})"]
    parts += [
        f"{sub.identifier.value if sub.identifier else 'a name'}: {_one_line(sub.detail)}"
        for sub in error.subproblems or ()
    ]
    return "; ".join(parts)


def _unreachable(directory: str, error: requests.RequestException) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        why = "its certificate is not trusted (acme_ca names CAs to trust)"
    elif isinstance(error, requests.exceptions.ProxyError):
        why = "the egress proxy does not let it through"
    elif isinstance(error, requests.Timeout):
        why = "it took too long to answer"
    else:
        why = "no connection"
    return f"{directory} could not be asked: {why} ({_one_line(_root_of(error))})"


def _odd_answer(directory: str, error: errors.ClientError) -> str:
    response = next((one for one in error.args if isinstance(one, requests.Response)), None)
    if response is not None:
        return f"{directory} answers {response.status_code}"
    return f"{directory} answers as no ACME server does: {_one_line(error)}"


def _root_of(error: BaseException) -> BaseException:
    """The innermost cause: what is around it names objects of libraries."""
    seen = error
    while (
        inner := getattr(seen, "reason", None) or seen.__cause__ or seen.__context__
    ) is not None:
        if not isinstance(inner, BaseException):
            break
        seen = inner
    return seen


def _one_line(told: object) -> str:
    """Another's words, without control characters and not too many."""
    text = " ".join("".join(c if c.isprintable() else " " for c in str(told or "")).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
