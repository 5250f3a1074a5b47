"""What the library raises, in words."""

from __future__ import annotations

import pytest
import requests
from acme import errors, messages
from hypothesis import given
from hypothesis import strategies as st

from hubmirror.certificates.acme_failures import AcmeFailed
from hubmirror.certificates.acme_reasons import failed_validation, in_plain_words
from hubmirror.certificates.files import CertificateError

DIRECTORY = "https://acme.example/directory"


def told(error: Exception) -> str:
    """What becomes of ``error``."""
    with pytest.raises(AcmeFailed) as caught, in_plain_words(DIRECTORY):
        raise error
    return str(caught.value)


def test_each_name_that_the_server_refuses_is_told() -> None:
    """Its subproblems have them."""
    name = messages.Identifier(typ=messages.IDENTIFIER_FQDN, value="a.example")
    sub = messages.Error.with_code("rejectedIdentifier", detail="never", identifier=name)
    error = messages.Error.with_code("malformed", detail="some", subproblems=(sub,))
    assert told(error) == "the server refuses (some); a.example: never"
    assert "acme_eab_kid" in told(messages.Error.with_code("externalAccountRequired", detail="x"))
    assert told(errors.IssuanceError(error)).startswith("the server refuses (some)")


def test_what_the_network_does() -> None:
    """Each leads somewhere else."""
    assert "took too long to answer" in told(requests.ConnectTimeout("x"))
    assert "proxy" in told(requests.exceptions.ProxyError("x"))
    assert "acme_ca" in told(requests.exceptions.SSLError("x"))
    assert "took too long to decide" in told(errors.TimeoutError())


def test_errors_of_our_own_stay_as_they_are() -> None:
    """They say already what is wrong."""
    with pytest.raises(CertificateError), in_plain_words(DIRECTORY):
        raise CertificateError("full disk")


@given(st.text(max_size=3000))
def test_a_servers_words_are_one_short_line(detail: str) -> None:
    """It may send anything; a log has lines."""
    error = messages.Error.with_code("connection", detail=detail)
    text = str(failed_validation("a.example", "http://a.example/x", error))
    assert text.isprintable()
    assert len(text) < 600
    assert failed_validation("a", "b", None).args
