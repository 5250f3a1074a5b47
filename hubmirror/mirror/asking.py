"""Asking the mirror for one repository's content in a client's name, as an engine would."""

from __future__ import annotations

from typing import Final

from attrs import evolve

from hubmirror.cache.manifest import INDEX_TYPES, MANIFEST_TYPES
from hubmirror.errors import RegistryError, UpstreamFailure
from hubmirror.mirror.mirror import Mirror
from hubmirror.mirror.pulling import Bodies
from hubmirror.mirror.sinks import Sink
from hubmirror.naming import Repository
from hubmirror.question import (
    Answer,
    BlobRequest,
    Body,
    Client,
    Headers,
    ManifestRequest,
    Question,
    Subject,
    TokenRequest,
)
from hubmirror.quota.quota import Charge
from hubmirror.tokens.answers import parse_token_answer
from hubmirror.upstream.challenge import Challenge, parse_challenges

__all__ = ["Asker"]

_ACCEPT: Final = (", ".join(sorted(MANIFEST_TYPES | INDEX_TYPES)),)
#: The longest answer of a token server, in bytes.
_MAX_TOKEN: Final = 1024 * 1024


class Asker:
    """Asks for what ``client`` may have of ``repository`` by its ``credential``.

    Every question goes through ``mirror``, so rights, rules and the quota are those of any pull.
    A client without a credential, or with a user and a password, is challenged for a token; that
    is asked for here with what the client has, and again when its time is over. A token that the
    client brings is shown as it is. ``is_foreign`` is a question's.
    """

    def __init__(
        self,
        mirror: Mirror,
        bodies: Bodies,
        client: Client,
        credential: str | None,
        repository: Repository,
        *,
        is_foreign: bool = False,
    ) -> None:
        self.repository = repository
        self._is_foreign = is_foreign
        self._mirror = mirror
        self._bodies = bodies
        self._client = client
        self._credential = credential
        self._bearer: str | None = None

    def question(self, subject: Subject) -> Question:
        """What is asked for ``subject``."""
        credential = self._bearer or self._credential
        accept = _ACCEPT if isinstance(subject, ManifestRequest) else ()
        return Question(
            "GET", subject, self._client, credential, accept, is_foreign=self._is_foreign
        )

    async def admit(self, subject: BlobRequest) -> Charge:
        """Count the request for ``subject`` before it is asked for. Raises ``TooManyRequests``

        where a limit leaves the client no way to it: it is not kept, or not even that counts.
        """
        question = self.question(subject)
        charge = self._mirror.admit(question)
        if charge.refusal is not None:
            if charge.is_final:
                raise charge.refusal
            answer = await self._mirror.answer(evolve(question, method="HEAD"))
            self._bodies.discard(answer.body)
            if answer.status != 200:
                raise charge.refusal
        return charge

    async def ask(
        self, subject: ManifestRequest | BlobRequest, charge: Charge | None = None
    ) -> Answer:
        """The mirror's answer, whatever its status. Raises ``RegistryError``."""
        try:
            answer = await self._ask(subject, charge)
        except RegistryError as error:
            if error.status != 401 or not await self._take_token(tuple(error.headers.items())):
                raise
        else:
            if answer.status != 401 or not await self._take_token(answer.headers):
                return answer
            self._bodies.discard(answer.body)
        return await self._ask(subject, None)

    async def read(self, body: Body, limit: int) -> bytes:
        """All of ``body``; raises ``UpstreamFailure`` where it has more than ``limit`` bytes."""
        length = body.length if not isinstance(body, bytes) else len(body)
        if length is not None and length > limit:
            self._bodies.discard(body)
            raise UpstreamFailure(f"the upstream's answer is larger than {limit} bytes")
        data = bytearray()
        await self._bodies.send(body, Sink(lambda more: data.extend(more[: limit + 1 - len(data)])))
        if len(data) > limit:
            raise UpstreamFailure(f"the upstream's answer is larger than {limit} bytes")
        return bytes(data)

    async def _ask(self, subject: Subject, charge: Charge | None) -> Answer:
        return await self._mirror.answer(self.question(subject), charge)

    def _has_token(self) -> bool:
        """Whether the client's own credential is of another kind than user and password."""
        return self._credential is not None and not self._credential.lower().startswith("basic ")

    async def _take_token(self, refused: Headers) -> bool:
        """Whether there is another token to show, after an answer with these fields."""
        challenge = _bearer_challenge(refused)
        if challenge is None or self._has_token():
            return False
        own = f"repository:{self.repository.name}:pull"
        service = challenge.parameter("service")
        parameters = (
            *(() if service is None else (("service", service),)),
            ("scope", challenge.parameter("scope") or own),
        )
        question = evolve(
            self.question(TokenRequest(parameters, registry=self.repository.registry)),
            credential=self._credential,
        )
        answer = await self._mirror.answer(question)
        if answer.status != 200:
            self._bodies.discard(answer.body)
            return False
        body = await self.read(answer.body, _MAX_TOKEN)
        self._bearer = f"Bearer {parse_token_answer(body, 'the token server').token}"
        return True


def _bearer_challenge(headers: Headers) -> Challenge | None:
    values = [value for name, value in headers if name.lower() == "www-authenticate"]
    return next((one for one in parse_challenges(values) if one.is_scheme("Bearer")), None)
