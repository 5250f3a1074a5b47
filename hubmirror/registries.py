"""The registries whose images this mirror has, and which of them a request is about."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final

from attrs import field, frozen

from hubmirror.errors import NameUnknown
from hubmirror.naming import MAX_NAME, Repository, library_name

__all__ = ["Registries"]

_DOCKER_HUB: Final = "docker.io"
#: Other names of the same registry.
_ALIASES: Final = dict.fromkeys(
    ("index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"), _DOCKER_HUB
)
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[0-9]{1,5})?")


@frozen
class Registries:
    """``default`` is that of names which have no registry in front.

    ``named`` are the others. ``hosts`` are this mirror's own names that lead to one. In those in
    ``prefixed`` a name of one component is an official image. ``allowed`` are patterns for names
    of more. Docker Hub's name is the default's where no other is called so: what stands at a URL
    of one's own is mostly a mirror of it.
    """

    default: str
    named: frozenset[str] = frozenset()
    hosts: Mapping[str, str] = field(factory=dict)
    prefixed: frozenset[str] = frozenset()
    allowed: tuple[str, ...] = ()

    def known(self, name: str) -> str | None:
        """The registry called ``name``, if this mirror has it."""
        lower = name.lower()
        own = _ALIASES.get(lower, lower)
        if own == self.default or own in self.named:
            return own
        if own == _DOCKER_HUB:
            return self.default
        if not _NAME.fullmatch(own):
            return None
        return own if any(fnmatchcase(own, pattern) for pattern in self.allowed) else None

    def find(self, name: str) -> str:
        """As ``known``; raises ``NameUnknown`` for a registry that this mirror does not have."""
        found = self.known(name)
        if found is None:
            raise NameUnknown(f"this mirror does not have the registry {name[:MAX_NAME]!a}")
        return found

    def home(self, url: str) -> str:
        """The registry to which a login belongs that was shown to the mirror at ``url``."""
        if not self.hosts:
            return self.default
        host = url.rpartition("//")[2]
        return self.hosts.get(host) or self.hosts.get(_without_port(host), self.default)

    def chosen(
        self, home: str, namespace: str | None, components: Sequence[str]
    ) -> tuple[str, Sequence[str]]:
        """The registry of a request, and a name's components within it.

        By containerd's ``?ns=``; by the mirror's own host, which made it ``home``; by the first
        component, where that is a registry; else the default. Raises ``NameUnknown``.
        """
        if namespace is not None:
            return self.find(namespace), components
        if home != self.default or len(components) < 2:
            return home, components
        first = components[0]
        known = self.known(first)
        if known is not None:
            return known, components[1:]
        if self.default in self.prefixed and _is_host(first):
            self.find(first)  # on Docker Hub nobody has such a name
        return home, components

    def repository(self, registry: str, name: str) -> Repository:
        """Raises ``NameInvalid`` for a name outside of the grammar."""
        return Repository(registry, library_name(name) if registry in self.prefixed else name)


def _is_host(component: str) -> bool:
    return "." in component or ":" in component or component == "localhost"


def _without_port(host: str) -> str:
    return re.sub(r":[0-9]*\Z", "", host)
