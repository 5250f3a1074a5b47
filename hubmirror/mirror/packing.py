"""Images as files that engines load: packed out of what the mirror keeps and fetches."""

from __future__ import annotations

import hashlib
import json
import re
from collections import deque
from typing import Final

from attrs import field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer
from zope.interface import implementer

from hubmirror.cache.choosing import chosen, is_platform, offered, requires
from hubmirror.cache.errors import StoreFailed
from hubmirror.cache.image_names import ImageName
from hubmirror.cache.image_tar import END, ImageTar, image_tar
from hubmirror.cache.manifest import (
    INDEX_TYPES,
    MANIFEST_TYPES,
    MAX_MANIFEST,
    Descriptor,
    Platform,
    references,
)
from hubmirror.cache.platforms import spelled
from hubmirror.errors import BadRequest, ManifestInvalid, UpstreamFailure
from hubmirror.mirror.asking import Asker
from hubmirror.mirror.mirror import Mirror
from hubmirror.mirror.pulling import Bodies
from hubmirror.naming import Digest, Reference
from hubmirror.question import Answer, BlobRequest, Client, IStream, ManifestRequest
from hubmirror.quota.quota import Charge

__all__ = ["Order", "Packer"]

#: The largest config, in bytes: it is in memory while it is sent.
MAX_CONFIG: Final = 1024 * 1024

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9.-]+")


@frozen
class Order:
    """Who wants which image: ``name`` has a reference. ``platform`` is None where none was said.

    ``is_foreign`` is a question's.
    """

    client: Client
    name: ImageName
    platform: str | None = None
    credential: str | None = field(default=None, repr=False)
    is_foreign: bool = False

    @property
    def subject(self) -> ManifestRequest:
        """What is asked for first."""
        reference = self.name.reference
        if reference is None:
            raise TypeError("an image is ordered by tag or digest")
        return ManifestRequest(self.name.repository, reference)


class Packer:
    """Answers orders. All that an image is made of is asked of ``mirror`` as an engine would,

    one after another; ``charge`` is where the first question is counted already.
    """

    def __init__(self, mirror: Mirror, bodies: Bodies) -> None:
        self._mirror = mirror
        self._bodies = bodies

    async def tar(self, order: Order, charge: Charge, *, is_head: bool = False) -> Answer:
        """The tar; with ``is_head`` nobody wants its body, and no layer is asked for.

        An answer that is not 200 is the mirror's own: of a challenge, of what is not there. Every
        layer is counted before the first byte is sent, so that no limit ends a tar in its midst.
        Raises ``BadRequest`` and ``ManifestUnknown`` as ``chosen`` does, and ``RegistryError``.
        """
        asker = self._asker(order)
        try:
            image = await self._image(asker, order, charge)
        except _NotGiven as refused:
            return refused.answer
        tar = image_tar(order.name, image.descriptor, image.document, image.children, image.config)
        layers = [BlobRequest(asker.repository, digest) for digest in tar.blobs]
        charges = [] if is_head else [await asker.admit(layer) for layer in layers]
        headers = (
            ("Content-Type", "application/x-tar"),
            ("Content-Disposition", f'attachment; filename="{_file_name(order, image)}"'),
        )
        return Answer(200, headers, _TarBody(tar, asker, self._bodies, charges))

    async def platforms(self, order: Order, charge: Charge) -> Answer:
        """Which platforms there are, as JSON; answers and errors as those of ``tar``."""
        asker = self._asker(order)
        try:
            top = await self._manifest(asker, order.subject.reference, charge)
            if top.media_type in INDEX_TYPES:
                found = [(one.platform, one.digest) for one in offered(top.children)]
            else:
                config = await self._config(asker, top)
                found = [(_platform_of(config), top.digest)]
        except _NotGiven as refused:
            return refused.answer
        entries = [
            {"platform": None if platform is None else spelled(platform), "digest": str(digest)}
            for platform, digest in found
        ]
        document = {"image": str(order.name), "digest": str(top.digest), "platforms": entries}
        headers = (("Content-Type", "application/json"),)
        return Answer(200, headers, json.dumps(document).encode() + b"\n")

    def _asker(self, order: Order) -> Asker:
        repository = order.name.repository
        return Asker(
            self._mirror,
            self._bodies,
            order.client,
            order.credential,
            repository,
            is_foreign=order.is_foreign,
        )

    async def _image(self, asker: Asker, order: Order, charge: Charge) -> _Image:
        top = await self._manifest(asker, order.subject.reference, charge)
        if top.media_type not in INDEX_TYPES:
            config = await self._config(asker, top)
            platform = _platform_of(config)
            requires(platform, order.platform)
            return _Image(top, platform, config)
        entry = chosen(top.children, order.platform)
        manifest = await self._manifest(asker, entry.digest)
        config = await self._config(asker, manifest)
        return _Image(manifest, entry.platform, config)

    async def _manifest(
        self, asker: Asker, reference: Reference, charge: Charge | None = None
    ) -> _Manifest:
        """Raises ``_NotGiven`` where there is none for the client."""
        answer = await asker.ask(ManifestRequest(asker.repository, reference), charge)
        if answer.status != 200:
            raise _NotGiven(answer)
        document = await asker.read(answer.body, MAX_MANIFEST)
        digest = _verified(document, reference if isinstance(reference, Digest) else None)
        media_type = (answer.header("Content-Type") or "").partition(";")[0].strip().lower()
        if media_type not in INDEX_TYPES | MANIFEST_TYPES:
            raise BadRequest(f"it is no image that can be packed, but {media_type[:100]!a}")
        return _Manifest(digest, media_type, document, references(media_type, document))

    async def _config(self, asker: Asker, manifest: _Manifest) -> bytes:
        """Raises ``_NotGiven``; ``BadRequest`` for what no tar can hold."""
        if manifest.media_type not in MANIFEST_TYPES:
            raise BadRequest("it is an index of indexes: ask for one of them by its digest")
        config, *layers = manifest.children
        if not all(map(_is_given, layers)):
            raise BadRequest("it has layers that registries may not give")
        if config.size > MAX_CONFIG:
            raise ManifestInvalid("the image's config is too large")
        answer = await asker.ask(BlobRequest(asker.repository, config.digest))
        if answer.status != 200:
            raise _NotGiven(answer)
        content = await asker.read(answer.body, MAX_CONFIG)
        _verified(content, config.digest)
        return content


@implementer(IStream)
class _TarBody:
    """A tar on its way: one part after another, each at the consumer's own pace."""

    def __init__(self, tar: ImageTar, asker: Asker, bodies: Bodies, charges: list[Charge]) -> None:
        self.length: int | None = tar.size
        self._parts = deque(tar.parts)
        self._asker = asker
        self._bodies = bodies
        self._charges = iter(charges)

    def send_to(self, consumer: IConsumer) -> Deferred[None]:
        """See ``IStream``."""
        return Deferred.fromCoroutine(self._send(consumer))

    def discard(self) -> None:
        """Nothing of it is open before it is sent."""

    async def _send(self, consumer: IConsumer) -> None:
        while self._parts:
            part = self._parts.popleft()  # what is sent is not held any longer
            if isinstance(part.content, bytes):
                consumer.write(part.head() + part.content + part.tail())
                continue
            consumer.write(part.head())
            await self._blob(part.content, part.size, consumer)
            consumer.write(part.tail())
        consumer.write(END)

    async def _blob(self, digest: Digest, size: int, consumer: IConsumer) -> None:
        """Raises ``UpstreamFailure`` where it can't be had, or has not the size it must have."""
        request = BlobRequest(self._asker.repository, digest)
        try:
            answer = await self._asker.ask(request, next(self._charges, None))
        except StoreFailed as error:
            raise UpstreamFailure(f"{digest} can't be read: {error}") from error
        body = answer.body
        length = len(body) if isinstance(body, bytes) else body.length
        if answer.status != 200 or length != size:
            self._bodies.discard(body)
            what = f"answered with {answer.status}" if answer.status != 200 else "of another size"
            raise UpstreamFailure(f"{digest} is {what}")
        await self._bodies.send(body, consumer)


class _NotGiven(Exception):
    """The mirror's ``answer`` is for the client."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


@frozen
class _Manifest:
    digest: Digest
    media_type: str
    document: bytes = field(repr=False)
    children: tuple[Descriptor, ...]


@frozen
class _Image:
    manifest: _Manifest
    platform: Platform | None
    config: bytes = field(repr=False)

    @property
    def descriptor(self) -> Descriptor:
        manifest = self.manifest
        return Descriptor(manifest.media_type, manifest.digest, len(manifest.document))

    @property
    def document(self) -> bytes:
        return self.manifest.document

    @property
    def children(self) -> tuple[Descriptor, ...]:
        return self.manifest.children


def _verified(content: bytes, digest: Digest | None) -> Digest:
    """The digest of ``content``. Raises ``UpstreamFailure`` where that is not ``digest``."""
    algorithm = "sha256" if digest is None else digest.algorithm
    found = Digest(algorithm, hashlib.new(algorithm, content).hexdigest())
    if digest is not None and found != digest:
        raise UpstreamFailure(f"the upstream gave something else than {digest}")
    return found


def _is_given(descriptor: Descriptor) -> bool:
    """Whether registries give it: of some base layers they may not (``layer.md``)."""
    kind = descriptor.media_type
    return "nondistributable" not in kind and "foreign" not in kind


def _platform_of(config: bytes) -> Platform | None:
    """What a config (``config.md``) says that it runs on."""
    try:
        document = json.loads(config)
    except (ValueError, RecursionError):
        return None
    match document:
        case {"os": str(system), "architecture": str(architecture), **rest}:
            variant = rest.get("variant")
            given = variant if isinstance(variant, str) and variant else None
            found = Platform(system, architecture, given)
            return found if is_platform(spelled(found)) else None
    return None


def _file_name(order: Order, image: _Image) -> str:
    """Of letters, digits, dots and dashes alone."""
    name = order.name
    repository = name.repository.name.removeprefix("library/")
    reference = name.reference
    tag = reference.encoded[:12] if isinstance(reference, Digest) else str(reference)
    words = [repository, tag, "" if image.platform is None else spelled(image.platform)]
    return "_".join(_UNSAFE.sub("-", word).strip(".-")[:100] for word in words if word) + ".tar"
