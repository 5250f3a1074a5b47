"""Who speaks on a connection: request by request, as a proxy may speak for many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Final

from hubmirror.question import Client, Headers
from hubmirror.registry.forwarded import Network, client_of, parse_host
from hubmirror.registry.message import Message

__all__ = ["Caller"]

#: By these a proxy tells for whom it speaks: see ``client_of``.
_FORWARDED: Final = frozenset(
    (b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host")
)


class Caller:
    """The other end of one connection, at ``peer``; ``local`` is this end's authority.

    ``find_user`` tells whose certificate it has shown, once its first request has come.
    """

    def __init__(
        self,
        peer: str,
        local: str,
        *,
        is_secure: bool,
        find_user: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.peer = peer
        self.local = local
        self.is_secure = is_secure
        self._find_user = find_user
        self._last: tuple[object, Client] | None = None

    @property
    def address(self) -> str:
        """The address of the other end itself, as a client's is written."""
        return self._address_and_url("", (), (), None)[0]

    @cached_property
    def user(self) -> str | None:
        """Whose certificate the other end has shown, if any."""
        return self._find_user()

    def host(self, message: Message) -> str:
        """The authority to which ``message`` was sent: its Host, or else this end's."""
        host = message.text(b"host")
        return self.local if host is None or parse_host(host) is None else host

    def client(
        self,
        message: Message,
        trusted: Sequence[Network],
        public_url: str | None,
        other_hosts: frozenset[str] = frozenset(),
    ) -> Client:
        """From whom ``message`` is; without a proxy's word that seldom changes."""
        agent = message.text(b"user-agent")
        key = (message.fields.get(b"host"), agent, trusted, public_url)
        is_forwarded = not _FORWARDED.isdisjoint(message.fields)
        if self._last is not None and self._last[0] == key and not is_forwarded:
            return self._last[1]
        headers = tuple(message.all_texts())
        address, url = self._address_and_url(
            self.host(message), headers, trusted, public_url, other_hosts
        )
        user = self.user
        if user is not None and address != self.address:
            user = None  # it is a proxy's, and tells nothing of those for whom that speaks
        client = Client(address, url, agent, user)
        if not is_forwarded:
            self._last = (key, client)
        return client

    def _address_and_url(
        self,
        host: str,
        headers: Headers,
        trusted: Sequence[Network],
        public_url: str | None,
        other_hosts: frozenset[str] = frozenset(),
    ) -> tuple[str, str]:
        return client_of(
            peer=self.peer,
            is_secure=self.is_secure,
            host=host,
            headers=headers,
            trusted=trusted,
            public_url=public_url,
            other_hosts=other_hosts,
        )
