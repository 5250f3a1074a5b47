"""Who may use the mirror, from a configuration."""

from __future__ import annotations

from hubmirror.access.gate import Access, IAccess, OpenAccess
from hubmirror.access.identities import ByCertificate
from hubmirror.access.names import Names
from hubmirror.access.rules import Rulebook, resolve
from hubmirror.config import Config

__all__ = ["compose_access"]


def compose_access(config: Config, names: Names) -> IAccess:
    """The rules of ``config``; ``names`` are how its clients write repositories."""
    if not (config.access_allow or config.access_deny or config.access_rule):
        return OpenAccess()
    return Access(
        Rulebook(config.access_rule, config.networks),
        ByCertificate(),
        names,
        config.access_login,
        tuple(resolve(config.access_allow, config.networks)),
        tuple(resolve(config.access_deny, config.networks)),
    )
