"""``/image/NAME:TAG.tar``: an image as a file, for who has no engine that pulls, or no way to it.

``/image/NAME:TAG.json`` tells which platforms there are.
"""

from __future__ import annotations

from typing import Final

from attrs import evolve
from twisted.internet.defer import Deferred

from hubmirror.cache.choosing import is_platform
from hubmirror.cache.errors import StoreFailed
from hubmirror.cache.image_names import ImageName, ImageNameInvalid, ImageNames
from hubmirror.errors import (
    BadRequest,
    NameInvalid,
    NotFound,
    RegistryError,
    Unavailable,
    Unsupported,
)
from hubmirror.mirror.mirror import Mirror
from hubmirror.mirror.packing import Order, Packer
from hubmirror.question import Answer, Refusal
from hubmirror.quota.kinds import Kind
from hubmirror.quota.quota import Charge
from hubmirror.registries import Registries
from hubmirror.registry.api import Begun, Endpoint
from hubmirror.registry.message import Exchange, Message, query_of, segments_of
from hubmirror.registry.responses import error_answer
from hubmirror.registry.starting import start
from hubmirror.transport.bodies import Bodies

__all__ = ["Image"]

_TAR: Final = ".tar"
_JSON: Final = ".json"


class Image(Endpoint):
    """Names are read as ``names`` has them, with any of ``registries`` in front."""

    def __init__(
        self, mirror: Mirror, bodies: Bodies, registries: Registries, names: ImageNames
    ) -> None:
        super().__init__(mirror, bodies, registries)
        self._names = names
        self._packer = Packer(mirror, bodies)

    def begin(self, exchange: Exchange) -> Begun:
        """What is asked of the mirror counts there; the bytes count with the first question."""
        try:
            order, kind = self._order(exchange)
        except RegistryError as error:
            question = self.asked(exchange, Refusal(error))
            charge = self._mirror.admit(question)
            return Begun(charge, start(self._answer(question, charge)), _untold)
        question = self.asked(exchange, order.subject)
        order = evolve(order, is_foreign=question.is_foreign)
        charge = self._mirror.admit(question)
        is_head = exchange.message.method == b"HEAD"
        answer: Deferred[Answer] = start(self._packed(order, kind, charge, is_head=is_head))
        return Begun(charge, answer, _untold)

    async def _packed(self, order: Order, kind: str, charge: Charge, *, is_head: bool) -> Answer:
        try:
            if kind == _JSON:
                answer = await self._packer.platforms(order, charge)
            else:
                answer = await self._packer.tar(order, charge, is_head=is_head)
            return self.challenging(answer, order.subject, is_foreign=order.is_foreign)
        except RegistryError as error:
            return error_answer(error)
        except StoreFailed as error:
            self._log.warn("a kept blob can't be read: {why}", why=str(error))
            return error_answer(Unavailable(headers={"Retry-After": "1"}))

    def _order(self, exchange: Exchange) -> tuple[Order, str]:
        message = exchange.message
        if message.method not in (b"GET", b"HEAD"):
            raise Unsupported(
                "an image is asked for by GET or HEAD", headers={"Allow": "GET, HEAD, OPTIONS"}
            )
        name, kind = self._name(message)
        order = Order(exchange.client, name, _platform(message), message.text(b"authorization"))
        return order, kind

    def _name(self, message: Message) -> tuple[ImageName, str]:
        segments = segments_of(message.target)[1:]
        text = b"/".join(segments).decode("ascii", "replace")
        kind = next((end for end in (_TAR, _JSON) if text.endswith(end)), None)
        if kind is None:
            raise NotFound("an image is at /image/NAME:TAG.tar, what it is for at .json")
        try:
            name = self._names.parse(text.removesuffix(kind)).or_latest()
        except ImageNameInvalid as error:
            raise NameInvalid(str(error)) from None
        if any(b"/" in segment for segment in segments):
            raise NameInvalid()
        registry = self._registries.find(name.repository.registry)
        repository = self._registries.repository(registry, name.repository.name)
        return evolve(name, repository=repository), kind


def _platform(message: Message) -> str | None:
    """The one that the query tells. Raises ``BadRequest``."""
    told = [value for name, value in query_of(message.target) if name == "platform"]
    if not told or told == [""]:
        return None
    if len(told) > 1 or not is_platform(told[0]):
        raise BadRequest("platform is one such as linux/amd64 or linux/arm/v7")
    return told[0]


def _untold(_kind: Kind, _seconds: float) -> None:
    """How long an image takes to load tells nothing about how long manifests take."""
