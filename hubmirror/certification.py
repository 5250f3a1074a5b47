"""The https listeners' certificate from an ACME server, where the configuration wants one."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from functools import partial
from ipaddress import ip_address
from threading import Event, Thread
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from cryptography import x509
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from hubmirror.certificates.acme_challenges import Challenges
from hubmirror.certificates.acme_renewal import IssuesCertificates, Renewal
from hubmirror.certificates.acme_server import AcmeServer
from hubmirror.certificates.acme_times import Suggestion
from hubmirror.certificates.files import KeyPair
from hubmirror.config import Config, ListenAddress
from hubmirror.https import acme_store
from hubmirror.options import version
from hubmirror.upstream.egress import Egress
from hubmirror.upstream.url import origin_of

__all__ = ["Certification", "in_thread", "server_of"]

T = TypeVar("T")


class Certification:
    """Has a ``Renewal`` at work while ``config.acme`` names hosts.

    ``reactor`` provides ``IReactorTime`` and ``IReactorFromThreads``; what others must find while
    a server looks at this mirror is in ``challenges``.
    """

    def __init__(self, reactor: Any, challenges: Challenges) -> None:
        self._reactor = reactor
        self._challenges = challenges
        self._wanted: object = None
        self._renewal: Renewal | None = None

    def serve(self, config: Config, installed: Callable[[], object]) -> None:
        """Do what ``config`` says from now on; ``installed`` is called after each certificate.

        Where nothing has changed, what has failed before is tried again at once.
        """
        wanted = (config.acme, config.data, server_of(config), config.http, config.https)
        if self._renewal is not None and wanted == self._wanted:
            self._renewal.hurry()
            return
        self.stop()
        if config.acme:
            self._wanted, self._renewal = wanted, self._made(config, installed)
            self._renewal.start()

    def stop(self) -> None:
        """Get nothing more. A thread that is at it ends by itself, or with the process."""
        renewal, self._renewal = self._renewal, None
        if renewal is not None:
            renewal.stop()

    def _made(self, config: Config, installed: Callable[[], object]) -> Renewal:
        stopping = Event()
        return Renewal(
            config.acme,
            acme_store(config),
            _Client(config, self._challenges, stopping),
            run=partial(in_thread, self._reactor),
            installed=installed,
            clock=self._reactor,
            now=lambda: datetime.now(timezone.utc),
            chance=random.random,
            stopping=stopping,
        )


class _Client:
    """An ``AcmeClient``, made when it is asked: in its thread, as its library takes long to load

    and most mirrors never need it.
    """

    def __init__(self, config: Config, challenges: Challenges, stopping: Event) -> None:
        self._config = config
        self._challenges = challenges
        self._stopping = stopping
        self._made: IssuesCertificates | None = None

    def obtain(self, names: Sequence[str]) -> KeyPair:
        """See ``IssuesCertificates``."""
        return self._client().obtain(names)

    def suggestion(self, leaf: x509.Certificate) -> Suggestion:
        """See ``IssuesCertificates``."""
        return self._client().suggestion(leaf)

    def _client(self) -> IssuesCertificates:
        from hubmirror.certificates.acme_client import AcmeClient
        from hubmirror.certificates.acme_ways import HTTP, TLS, Ways

        if self._made is None:
            store, server = acme_store(self._config), server_of(self._config)
            order = [TLS, HTTP] if _is_by_tls(self._config) else [HTTP, TLS]
            ways = Ways(order if self._config.http else [TLS], self._challenges, store.proofs)
            agent = f"hubmirror/{version()}".replace(" ", "-")
            self._made = AcmeClient(server, store, ways, self._stopping, agent)
        return self._made


def _is_by_tls(config: Config) -> bool:
    """Whether others come by TLS alone: plain HTTP is for this machine, by default."""
    return not any(map(_is_open, config.http)) and any(map(_is_open, config.https))


def _is_open(address: ListenAddress) -> bool:
    try:
        return not ip_address(address.host).is_loopback
    except ValueError:
        return address.host != "localhost"


def server_of(config: Config) -> AcmeServer:
    """The ACME server that ``config`` names, and the way to it."""
    kid, key = config.acme_eab_kid, config.acme_eab_key
    return AcmeServer(
        config.acme_directory,
        config.acme_ca,
        _proxy(config),
        config.acme_email,
        None if kid is None or key is None else (kid, key),
    )


def in_thread(reactor: Any, work: Callable[[], T]) -> Deferred[T]:
    """Do ``work`` in a thread that nothing waits for, not even the end of the process."""
    done: Deferred[T] = Deferred()

    def run() -> None:
        try:
            result = work()
        except Exception:
            reactor.callFromThread(done.errback, Failure())
        else:
            reactor.callFromThread(done.callback, result)

    Thread(target=run, name="acme", daemon=True).start()
    return done


def _proxy(config: Config) -> str | None:
    """The egress proxy's URL, where the way to the ACME server is through it."""
    if config.egress_proxy is None:
        return None
    egress = Egress.parse(config.egress_proxy, no_proxy=",".join(config.no_proxy))
    origin = origin_of(config.acme_directory)
    if not egress.serves(origin.host, origin.port):
        return None
    netloc = urlsplit(config.egress_proxy).netloc
    if config.egress_login is None:
        return f"http://{netloc}"
    user, password = (quote(part, safe="") for part in config.egress_login)
    return f"http://{user}:{password}@{netloc}"
