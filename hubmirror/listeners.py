"""The sockets that the mirror listens on."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any

from attrs import frozen
from twisted.internet.defer import maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.unix import Port as UNIXPort

from hubmirror.config import ListenAddress
from hubmirror.errors import HubmirrorError
from hubmirror.transport.ports import PlainPort, TLSPort
from hubmirror.transport.tls import Secure

__all__ = [
    "BACKLOG",
    "ListenError",
    "Listeners",
    "Move",
    "Wanted",
    "authority",
    "interfaces",
    "url_of",
]

#: Connections that wait to be accepted; Linux cuts it to net.core.somaxconn.
BACKLOG = 1024


class ListenError(HubmirrorError):
    """An address can't be listened on; the message says which and why."""


@frozen
class Wanted:
    """Where ``factory`` is to be reached. ``secure`` begins TLS on each connection; None: they

    stay plain.
    """

    scheme: str
    addresses: Sequence[ListenAddress]
    factory: IProtocolFactory
    secure: Secure | None = None


@frozen(eq=False)
class _Door:
    """A port that listens at ``url``, as it is ``wanted`` at ``address``."""

    wanted: Wanted
    address: ListenAddress
    url: str
    port: PlainPort

    def serves(self, wanted: Wanted, address: ListenAddress) -> bool:
        """Whether it does what is wanted."""
        own = self.wanted
        is_same = (own.scheme, own.factory) == (wanted.scheme, wanted.factory)
        return is_same and self.address == address


class Listeners:
    """Listening ports of ``reactor``, an ``IReactorTCP``."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._doors: list[_Door] = []
        self._ports: list[Any] = []

    def listen(
        self,
        scheme: str,
        addresses: Sequence[ListenAddress],
        factory: IProtocolFactory,
        secure: Secure | None = None,
    ) -> list[str]:
        """Listen on every one of ``addresses``, too; the URLs, with the ports that they have.

        ``secure`` is as in ``Wanted``. Raises ``ListenError``, and none of them is listened on.
        """
        wanted = Wanted(scheme, addresses, factory, secure)
        doors = [door for address in addresses for door in self._opened(wanted, address, [])]
        self._doors += doors
        return [door.url for door in doors]

    def move(self, wanted: Iterable[Wanted]) -> Move:
        """Listen where it is ``wanted``, and then nowhere else: see ``Move``.

        What stays as it is goes on without a break. Raises ``ListenError``, and all stays then.
        """
        pairs = [(one, address) for one in wanted for address in one.addresses]
        stay = [door for door in self._doors if any(door.serves(*pair) for pair in pairs)]
        gone = [door for door in self._doors if door not in stay]
        now: list[_Door] = []
        fresh: list[_Door] = []
        try:
            for pair in pairs:
                same = [door for door in stay if door.serves(*pair)]
                if not same:
                    same = self._opened(*pair, gone)
                    fresh += same
                now += same
        except BaseException:
            _close(fresh)
            raise
        return Move(self, now, fresh, gone)

    def moved(self, doors: Sequence[_Door]) -> None:
        """These are the ones now."""
        self._doors = list(doors)

    def adopt(
        self,
        sockets: Iterable[socket.socket],
        factory: IProtocolFactory,
        secure: Secure | None = None,
    ) -> None:
        """Listen on ``sockets``, which listen already, for others of this mirror, too."""
        for adopted in sockets:
            interface = adopted.getsockname()[0]
            port = self._made(0, factory, secure, interface)
            # As reactor.adoptStreamPort does: so it is not shut down when it is closed here.
            port._preexistingSocket = adopted
            port.startListening()
            self._ports.append(port)

    def adopt_local(self, descriptor: int, factory: IProtocolFactory) -> None:
        """Listen on a socket of ``AF_UNIX`` that listens already."""
        # The name is one without a file: else Twisted would change the file's mode, and remove it.
        port = UNIXPort(b"\0hubmirror", factory, BACKLOG, reactor=self._reactor)
        port._preexistingSocket = socket.socket(fileno=descriptor)
        port._shouldShutdown = False
        port.startListening()
        self._ports.append(port)

    def hold(self) -> None:
        """Let connections wait in the kernel until ``accept``."""
        for port in self._all():
            port.stopReading()

    def accept(self) -> None:
        """Take the connections that have come, and those to come."""
        for port in self._all():
            port.startReading()

    async def stop(self) -> None:
        """Accept no more connections; those accepted go on."""
        for port in self._all():
            await maybeDeferred(port.stopListening)

    def _all(self) -> list[Any]:
        return [*(door.port for door in self._doors), *self._ports]

    def _opened(self, wanted: Wanted, address: ListenAddress, gone: Sequence[_Door]) -> list[_Door]:
        """A door for each interface, or none; those of ``gone`` may be on the same number."""
        doors: list[_Door] = []
        try:
            for host in interfaces(address):
                port = self._listen(wanted, host, address.port, gone)
                url = f"{wanted.scheme}://{authority(host, port.getHost().port)}"
                doors.append(_Door(wanted, address, url, port))
        except BaseException:
            _close(doors)
            raise
        return doors

    def _listen(self, wanted: Wanted, host: str, number: int, gone: Sequence[_Door]) -> PlainPort:
        rivals = [door.port for door in gone if door.port.getHost().port == number]
        port = self._made(number, wanted.factory, wanted.secure, host)
        for one in (*rivals, *([port] if rivals else [])):
            one.share()
        try:
            port.startListening()
        except CannotListenError as error:
            reason = getattr(error.socketError, "strerror", None) or str(error.socketError)
            raise ListenError(
                f"cannot listen on {wanted.scheme}://{authority(host, number)}: {reason}"
            ) from error
        return port

    def _made(
        self, number: int, factory: IProtocolFactory, secure: Secure | None, host: str
    ) -> PlainPort:
        if secure is None:
            return PlainPort(number, factory, self._reactor, BACKLOG, host)
        return TLSPort(number, factory, secure, self._reactor, BACKLOG, host)


def url_of(scheme: str, listening: socket.socket) -> str:
    """Where a socket listens, as a URL."""
    host, port = listening.getsockname()[:2]
    return f"{scheme}://{authority(host, port)}"


class Move:
    """From some listening ports to others, of which the new ones are open. As a context: at its end

    the old ones close, what has come there being accepted first; where it fails, the new ones do.
    """

    def __init__(
        self,
        listeners: Listeners,
        now: Sequence[_Door],
        fresh: Sequence[_Door],
        gone: Sequence[_Door],
    ) -> None:
        self._listeners = listeners
        self._now, self._fresh, self._gone = now, fresh, gone

    @property
    def fresh(self) -> list[str]:
        """The URLs that are new."""
        return [door.url for door in self._fresh]

    @property
    def closed(self) -> list[PlainPort]:
        """The ports that listen no more."""
        return [door.port for door in self._gone]

    @property
    def closed_urls(self) -> list[str]:
        """Where they did."""
        return [door.url for door in self._gone]

    def urls(self, factory: IProtocolFactory) -> list[str]:
        """Where ``factory`` is reached from now on."""
        return [door.url for door in self._now if door.wanted.factory is factory]

    def __enter__(self) -> Move:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            _close(self._fresh)
            return
        _close(self._gone)
        self._listeners.moved(self._now)


def _close(doors: Iterable[_Door]) -> None:
    for door in doors:
        door.port.close()


def interfaces(address: ListenAddress) -> list[str]:
    """The addresses behind ``address.host``, which may be a name; asked once, at the start."""
    if not address.host:
        return ["::"] if socket.has_dualstack_ipv6() else ["0.0.0.0"]  # noqa: S104 - asked for
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ListenError(f"cannot listen on {address.host}: {error.strerror}") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def authority(host: str, port: int) -> str:
    """Address and port as a URL has them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
