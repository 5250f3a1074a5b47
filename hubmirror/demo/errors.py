"""The errors that a registry answers and a mirror has no need to make."""

from __future__ import annotations

from hubmirror.errors import RegistryError

__all__ = ["BlobUnknown", "ManifestUnknown", "NameUnknown", "PullLimitReached", "Unauthorized"]


class Unauthorized(RegistryError):
    """No token, a bad one, or one without the right; ``WWW-Authenticate`` is in the headers."""

    status = 401
    code = "UNAUTHORIZED"
    default_message = "authentication required"


class ManifestUnknown(RegistryError):
    """No such tag or manifest, or none of a kind that the client accepts."""

    status = 404
    code = "MANIFEST_UNKNOWN"
    default_message = "manifest unknown"


class BlobUnknown(RegistryError):
    """No such blob in this repository."""

    status = 404
    code = "BLOB_UNKNOWN"
    default_message = "blob unknown to registry"


class NameUnknown(RegistryError):
    """No such repository."""

    status = 404
    code = "NAME_UNKNOWN"
    default_message = "repository name not known to registry"


class PullLimitReached(RegistryError):
    """The account or address has spent its pulls; the words are those of Docker Hub."""

    status = 429
    code = "TOOMANYREQUESTS"
    default_message = (
        "You have reached your pull rate limit. You may increase the limit by authenticating "
        "and upgrading: https://www.docker.com/increase-rate-limit"
    )
