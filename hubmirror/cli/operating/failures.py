"""How an operation fails, to whoever asked for it."""

from __future__ import annotations

from hubmirror.errors import HubmirrorError

__all__ = ["OperationFailed"]


class OperationFailed(HubmirrorError):
    """It was not carried out, or not to its end; the message is for a person at a terminal."""
