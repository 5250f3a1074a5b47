"""How a fetch can end without the blob."""

from __future__ import annotations

from hubmirror.errors import HubmirrorError, UpstreamFailure

__all__ = ["CannotKeep", "NobodyMayAsk", "Stopped", "StoreLost", "WrongDigest"]


class CannotKeep(HubmirrorError):
    """The blob cannot be fetched into the store: it is to be streamed without being kept."""


class WrongDigest(UpstreamFailure):
    """All bytes came, and they are others than the digest promises."""

    default_message = "the upstream sent bytes that do not have the digest asked for"


class NobodyMayAsk(UpstreamFailure):
    """No credential is left that the upstream takes: whoever had one is refused now, or gone."""

    default_message = "the upstream refused the rest of a blob"


class StoreLost(UpstreamFailure):
    """The disk took no more in the middle of a fetch. Readers go on past it where they can."""

    status = 503
    default_message = "the mirror's disk took no more bytes of a blob: ask again"


class Stopped(UpstreamFailure):
    """The fetch was given up: nobody reads it any more, or the mirror stops."""

    status = 503
    default_message = "the mirror gave up fetching a blob"
