"""What a token server answers, parsed strictly.

Source: the Docker registry v2 token authentication specification, "Token Response Fields".
"""

from __future__ import annotations

import json
import re
from typing import Final

from attrs import field, frozen

from hubmirror.errors import UpstreamFailure

__all__ = ["TokenAnswer", "parse_token_answer"]

#: The life of a token whose server names none, by the specification, and the longest that is
#: believed, in seconds.
DEFAULT_LIFE: Final = 60.0
LONGEST_LIFE: Final = 86400.0

#: What may follow ``Bearer`` in a field: no space, no control, and not more than a server takes.
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")


@frozen
class TokenAnswer:
    """A token, and its life in seconds from when it was asked for."""

    token: str = field(repr=False)
    life: float


def parse_token_answer(body: bytes, host: str) -> TokenAnswer:
    """The token in ``body``, ``token`` or ``access_token``.

    ``host`` names the server in errors. Raises ``UpstreamFailure``, whose words hold nothing of
    ``body``, where there is no token that could be sent.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    fields = document if isinstance(document, dict) else {}
    token = fields.get("token") or fields.get("access_token")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise UpstreamFailure(f"{host} answered without a usable token") from None
    return TokenAnswer(token, _life(fields.get("expires_in")))


def _life(expires_in: object) -> float:
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float):
        return DEFAULT_LIFE
    if not expires_in > 0:  # NaN is not, either
        return DEFAULT_LIFE
    return float(min(expires_in, LONGEST_LIFE))
