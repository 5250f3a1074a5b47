"""What can go wrong, as exceptions: the spec's error codes, and the failures of an upstream.

Every exception here knows the HTTP status it becomes and the ``code`` of the registry's JSON
error (OCI distribution-spec 1.1, "Error codes"); one place in ``registry/`` writes them.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = [
    "BadRequest",
    "Denied",
    "DigestInvalid",
    "HubmirrorError",
    "ManifestInvalid",
    "ManifestUnknown",
    "NameInvalid",
    "NameUnknown",
    "NotFound",
    "RegistryError",
    "TooManyRequests",
    "Unsupported",
    "UpstreamFailure",
    "UpstreamRefused",
    "UpstreamTimeout",
]


class HubmirrorError(Exception):
    """The root of all errors that this project raises on purpose."""


class RegistryError(HubmirrorError):
    """An answer of the registry's API that is an error.

    ``message`` is a sentence for a person at a client's terminal; ``detail`` any JSON value;
    ``headers`` go out with the answer (names as in RFC 9110).
    """

    status = 500
    code = "UNKNOWN"
    default_message = "the mirror failed"

    def __init__(
        self,
        message: str | None = None,
        *,
        detail: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.message = message or self.default_message
        self.detail = detail
        self.headers = dict(headers or {})
        super().__init__(self.message)


class BadRequest(RegistryError):
    """A request that breaks HTTP or this API in a way the spec has no code for."""

    status = 400
    code = "UNSUPPORTED"
    default_message = "the request is malformed"


class Denied(RegistryError):
    """Something that this mirror does not allow."""

    status = 403
    code = "DENIED"
    default_message = "requested access to the resource is denied"


class DigestInvalid(RegistryError):
    """A digest outside the grammar, or of an unknown algorithm."""

    status = 400
    code = "DIGEST_INVALID"
    default_message = "the digest must be sha256: and 64, or sha512: and 128, lower-case hex digits"


class ManifestInvalid(RegistryError):
    """A reference or a manifest outside the grammar."""

    status = 404
    code = "MANIFEST_INVALID"
    default_message = "manifest invalid"


class ManifestUnknown(RegistryError):
    """A manifest or tag that the registry does not have."""

    status = 404
    code = "MANIFEST_UNKNOWN"
    default_message = "manifest unknown"


class NameInvalid(RegistryError):
    """A repository name outside the grammar."""

    status = 404
    code = "NAME_INVALID"
    default_message = "invalid repository name"


class NameUnknown(RegistryError):
    """A name that no registry of this mirror's has."""

    status = 404
    code = "NAME_UNKNOWN"
    default_message = "repository name not known to registry"


class NotFound(RegistryError):
    """A path that this API does not have."""

    status = 404
    code = "UNSUPPORTED"
    default_message = "no such endpoint: this is a registry mirror, its API is under /v2/"


class Unavailable(RegistryError):
    """What the mirror can't do just now, and may be able to in a moment."""

    status = 503
    code = "UNAVAILABLE"
    default_message = "the mirror can't read what it keeps just now"


class Unsupported(RegistryError):
    """A write, or another method that a read-only mirror does not serve."""

    status = 405
    code = "UNSUPPORTED"
    default_message = "this is a read-only mirror: push to the registry itself, not to the mirror"


class TooManyRequests(RegistryError):
    """A limit of this mirror is spent; ``Retry-After`` is in the headers."""

    status = 429
    code = "TOOMANYREQUESTS"
    default_message = "too many requests"


class UpstreamFailure(RegistryError):
    """The upstream gave no usable answer: 502, with the cause in a sentence."""

    status = 502
    code = "UNAVAILABLE"
    default_message = "the upstream registry failed"


class UpstreamTimeout(UpstreamFailure):
    """The upstream took longer than a configured limit: 504."""

    status = 504
    default_message = "the upstream registry did not answer in time"


class UpstreamRefused(UpstreamFailure):
    """The mirror itself will not go where the upstream points (a private address, a loop)."""
