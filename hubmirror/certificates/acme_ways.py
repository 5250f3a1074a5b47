"""The ways to prove to an ACME server that a name is ours: by HTTP, and by TLS alone."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

from acme import messages
from acme.challenges import (
    Challenge,
    ChallengeResponse,
    KeyAuthorizationChallenge,
    KeyAuthorizationChallengeResponse,
)
from josepy.jwk import JWK

from hubmirror.certificates.acme_challenges import Challenges
from hubmirror.certificates.acme_failures import AcmeFailed
from hubmirror.certificates.acme_proofs import Proofs

__all__ = ["HTTP", "TLS", "Ways", "type_of", "where"]

HTTP: Final = "http-01"
TLS: Final = "tls-alpn-01"


@ChallengeResponse.register
class _TLSResponse(KeyAuthorizationChallengeResponse):
    """What the library had until its version 5."""

    typ = TLS


@Challenge.register
class _TLSChallenge(KeyAuthorizationChallenge):
    response_cls = _TLSResponse
    typ = TLS

    def validation(self, account_key: JWK, **_: Any) -> str:
        """As by HTTP: where it stands is another matter."""
        return self.key_authorization(account_key)


class Ways:
    """``order`` has those that can be gone, the best one first.

    ``challenges`` is where HTTP finds what it looks for, ``proofs`` is where TLS does.
    """

    def __init__(self, order: Sequence[str], challenges: Challenges, proofs: Proofs) -> None:
        self._order = list(order)
        self._challenges = challenges
        self._proofs = proofs

    def clear(self) -> None:
        """Remove what a crash has left."""
        self._proofs.clear()

    def choose(self, authorization: messages.AuthorizationResource) -> messages.ChallengeBody:
        """The best one that the server takes. Raises ``AcmeFailed`` where there is none."""
        offered = {type_of(one): one for one in authorization.body.challenges}
        for way in self._order:
            if way in offered:
                return offered[way]
        name = authorization.body.identifier.value
        found, possible = ", ".join(offered), " and ".join(self._order)
        raise AcmeFailed(f"{name}: the server takes {found} alone, and we can do {possible}")

    def under_way(
        self, challenge: messages.ChallengeBody, name: str, answer: str
    ) -> AbstractContextManager[None]:
        """Let the server find ``answer`` for ``name``."""
        if type_of(challenge) == TLS:
            return self._proofs.under_way(name, answer)
        return self._challenges.under_way(challenge.chall.encode("token"), answer)

    def failed(self) -> None:
        """The best one is not: try another the next time."""
        self._order.append(self._order.pop(0))


def type_of(challenge: messages.ChallengeBody) -> str:
    """Also of one that the library does not know."""
    return str(challenge.chall.to_partial_json().get("type"))


def where(challenge: messages.ChallengeBody, name: str) -> str:
    """Where the server looks, for a person."""
    if type_of(challenge) == TLS:
        return f"port 443 of {name} (TLS-ALPN-01)"
    return str(challenge.chall.uri(name))
