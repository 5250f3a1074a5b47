"""Why there is no certificate."""

from __future__ import annotations

from hubmirror.errors import HubmirrorError

__all__ = ["AcmeFailed"]


class AcmeFailed(HubmirrorError):
    """An ACME server gave no certificate; the message is for an operator.

    ``retry_after`` is how long the server wants not to be asked again, in seconds, if it said so.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
