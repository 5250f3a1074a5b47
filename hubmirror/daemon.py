"""The running mirror as a Twisted service: start, reload, drain, stop."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource

from hubmirror.accounting import Accounting
from hubmirror.activation import HandedOver
from hubmirror.certification import Certification
from hubmirror.config import Config
from hubmirror.control.channel import ControlSite
from hubmirror.control.socket import ControlSocketError, listen
from hubmirror.datafolder import DataFolder
from hubmirror.errors import HubmirrorError, RegistryError
from hubmirror.greeting import greeting, warnings
from hubmirror.https import Https
from hubmirror.listeners import Listeners, Move, Wanted, url_of
from hubmirror.mirror.warming import Warming
from hubmirror.monitor.latency import Latency
from hubmirror.monitor.metrics import Vitals
from hubmirror.notifying import Notifier
from hubmirror.options import Options, version
from hubmirror.quota.quota import Quota
from hubmirror.service import MirrorService
from hubmirror.sites import Served, Sites, limits_of
from hubmirror.storage import Storage

__all__ = ["Composed", "Daemon"]

#: Between two looks at the certificate's files, in seconds.
CERTIFICATE_CHECK: Final = 10.0
#: The scrub begins so long after the start, which is busy enough, in seconds.
SCRUB_AFTER: Final = 60.0
#: Between two looks whether an outage may have ended, in seconds.
PROBE: Final = 1.0
#: Between two looks whether more is kept than should be, in seconds.
MAKE_ROOM: Final = 30.0
#: Between two writes of the times at which blobs were asked for, in seconds.
INDEX_FLUSH: Final = 5.0


@frozen
class Composed:
    """What a configuration is made into, and how to ask whether the upstream answers.

    ``probe`` fires with the status of the upstream's ``/v2/`` or fails with a
    ``RegistryError``; ``probe_due`` probes those registries whose outage may have ended;
    ``log_in`` tries the mirror's own account; ``control`` is what an operator's commands talk to;
    ``tell`` is told what an operator should know; ``end_streams`` ends those who watch, and
    ``close`` what goes on behind, and idle connections.
    """

    served: Served
    probe: Callable[[], Deferred[int]]
    probe_due: Callable[[], list[Deferred[int]]]
    log_in: Callable[[], Deferred[None]]
    control: IResource
    warming: Warming
    tell: Callable[[dict[str, object]], object]
    end_streams: Callable[[], None]
    close: Callable[[], Deferred[object]]


class Daemon(MirrorService):
    """Holds what outlives a reload: the sockets, the data folder, the count, what is kept.

    ``store`` makes the last of these; ``compose`` makes all else that a configuration decides
    about: at the start, and again on each SIGHUP. ``certification`` gets the certificate, where
    that comes from elsewhere.
    """

    name = "hubmirror"
    _log = Logger()

    def __init__(
        self,
        options: Options,
        reactor: Any,
        store: Callable[[Config], Storage],
        compose: Callable[[Config, Quota, Storage, Vitals], Composed],
        certification: Certification | None = None,
        handed_over: HandedOver | None = None,
        notifier: Notifier | None = None,
    ) -> None:
        super().__init__(options, reactor, notifier)
        self._certification = certification
        self._handed_over = handed_over or HandedOver()
        self._store = store
        self._compose = compose
        self._https: Https | None = None
        self._control_port: Any = None
        self._is_open = False
        self._vitals = Vitals(
            version=version(),
            latency=Latency(),
            connections=lambda: self._sites.clients.connections,
            certificate_expiry=lambda: None if self._https is None else self._https.expiry(),
            shed=lambda: self._sites.shed,
            is_open=lambda: self._is_open,
            is_draining=lambda: self._sites.clients.is_draining,
        )
        self._scrubbing: Deferred[Any] | None = None

    def stopService(self) -> Deferred[None]:
        """Accept nothing new; running transfers have ``shutdown_grace`` seconds to finish."""
        super().stopService()
        return Deferred.fromCoroutine(self._close())

    def _open(self) -> None:
        config = self._config
        os.umask(0o077)  # whatever a library makes in the data folder is for its owner alone
        self._folder = self._hold(config.data)
        self._accounting = self._account(config)
        self._storage = self._store(config)
        self._composed = self._composition(config)
        self._https = Https(config) if config.https else None
        self._sites = self._make_sites(self._composed.served)
        self._listeners = Listeners(self._reactor)
        self._listen(config)
        self._listeners.hold()

    # What is other where clients come by other processes.

    def _hold(self, folder: Path) -> DataFolder:
        return DataFolder.open(folder)

    def _account(self, config: Config) -> Accounting:
        return Accounting(self._reactor, config, time.time, self._tell)

    def _make_sites(self, served: Served) -> Sites:
        return Sites(self._reactor, served)

    def _listen(self, config: Config) -> None:
        for name, wanted in self._wanted(config, self._https).items():
            given = self._handed_over.sockets(name)
            if given:
                self._listeners.adopt(given, wanted.factory, wanted.secure)
        with self._move(config, self._https) as move:
            self._take_urls(move)

    def _move(self, config: Config, https: Https | None) -> Move:
        """To where ``config`` wants the mirror to listen. Raises ``ListenError``.

        Where somebody listens for it, that stays as it is.
        """
        wanted = self._wanted(config, https)
        return self._listeners.move(
            [one for name, one in wanted.items() if not self._handed_over.sockets(name)]
        )

    def _wanted(self, config: Config, https: Https | None) -> dict[str, Wanted]:
        """By the names of the settings."""
        clients = self._sites.clients
        wanted = {"http": Wanted("http", config.http, clients)}
        if https is not None:
            wanted["https"] = Wanted("https", config.https, clients, https.secure)
        wanted["monitor"] = Wanted("http", config.monitor, self._sites.watchers)
        return wanted

    def _take_urls(self, move: Move) -> None:
        clients = [
            url_of(scheme, one)
            for scheme in ("http", "https")
            for one in self._handed_over.sockets(scheme)
        ]
        watched = [url_of("http", one) for one in self._handed_over.sockets("monitor")]
        self._urls = clients + move.urls(self._sites.clients)
        self._watched = watched + move.urls(self._sites.watchers)

    def _is_ready(self) -> None:
        """Requests are served from now on."""
        self._greet()

    def _composition(self, config: Config) -> Composed:
        return self._compose(config, self._accounting.quota, self._storage, self._vitals)

    def _started(self) -> None:
        opening = Deferred.fromCoroutine(self._storage.open())
        opening.addCallbacks(self._opened, self._not_opened)

    def _not_opened(self, failure: Failure) -> None:
        """What is kept can't be opened: as with a port that is taken, the process ends with 1."""
        print(f"hubmirror: {failure.getErrorMessage()}", file=sys.stderr, flush=True)
        if failure.check(HubmirrorError) is None:
            self._log.failure("the data folder can't be opened", failure=failure)
        self._reactor.addSystemEventTrigger("after", "shutdown", os._exit, 1)
        self._reactor.stop()

    def _opened(self, _: None) -> None:
        self._is_open = True
        self._listeners.accept()
        self._listen_to_operators()
        self._composed.warming.start()
        self._listen_for_reloads()
        self._is_ready()
        self._serves(self._urls)
        self._accounting.start()
        self._repeat(INDEX_FLUSH, self._flush_index)
        self._repeat(MAKE_ROOM, lambda: Deferred.fromCoroutine(self._storage.make_room()))
        scrub = self._storage.scrubber.run
        self._scrubbing = deferLater(
            self._reactor, SCRUB_AFTER, lambda: Deferred.fromCoroutine(scrub())
        )
        self._scrubbing.addErrback(lambda failure: failure.trap(CancelledError) and None)
        self._repeat(CERTIFICATE_CHECK, self._check_certificate)
        self._certify()
        self._composed.probe().addCallbacks(self._upstream_answers, self._upstream_fails)
        self._composed.log_in().addErrback(self._login_fails)
        self._repeat(PROBE, self._probe_if_due)

    def _check_certificate(self) -> None:
        if self._https is not None:
            self._https.check()

    def _certify(self) -> None:
        if self._certification is None:
            return
        if self._https is None:
            self._certification.stop()
        else:
            self._certification.serve(self._config, self._https.check)

    def _greet(self) -> None:
        urls = self._urls
        config = self._config
        fits = limits_of(config).max_connections
        if fits < config.max_connections:
            self._log.warn(
                "max_connections is {fits}: the system permits no more open files (LimitNOFILE)",
                fits=fits,
            )
        for line in greeting(urls, config.default.url, config.data, config.public_url):
            self._log.info("{line}", line=line)
        for url in self._watched:
            self._log.info("watched at {url}", url=url)
        self._warn(urls)

    def _warn(self, urls: Sequence[str]) -> None:
        """What is dangerous about ``urls``, and how those with TLS come to be trusted."""
        for line in warnings(urls, is_open=self._config.is_open_to_all):
            self._log.warn("{line}", line=line)
        if self._https is not None and any(url.startswith("https:") for url in urls):
            for line in self._https.warnings():
                self._log.warn("{line}", line=line)
            for line in self._https.greeting(urls):
                self._log.info("{line}", line=line)

    def _probe_if_due(self) -> Deferred[Any]:
        """In an outage, find its end without a client that waits for it."""
        probes = self._composed.probe_due()
        for probe in probes:
            probe.addErrback(lambda failure: failure.trap(RegistryError))
        return gatherResults(probes)

    def _login_fails(self, failure: Failure) -> None:
        failure.trap(RegistryError)
        self._log.warn("{why}", why=failure.getErrorMessage())

    def _upstream_answers(self, status: int) -> None:
        self._log.info("{url} answers", url=self._config.default.url, status=status)

    def _upstream_fails(self, failure: Any) -> None:
        if failure.check(RegistryError) is None:
            self._log.failure("asking the upstream failed", failure=failure)
            return
        self._log.warn(
            "{url} does not answer: {why}; `make demo` shows a mirror that works without it",
            url=self._config.default.url,
            why=failure.value.message,
        )

    def _listen_to_operators(self) -> None:
        self._control = ControlSite(self._composed.control, reactor=self._reactor)
        try:
            self._control_port = listen(self._reactor, self._config.data, self._control)
        except ControlSocketError as error:
            self._log.warn("no command can reach this daemon: {why}", why=str(error))

    def _tell(self, event: dict[str, object]) -> None:
        self._composed.tell(event)

    def _flush_index(self) -> Deferred[None]:
        return self._storage.flush().addErrback(
            lambda failure: self._log.warn("the index: {why}", why=failure.getErrorMessage())
        )

    def _cut(self) -> None:
        self._sites.cut()

    def _take_in_force(self, config: Config) -> None:
        changed, config = self._without_fixed(config)
        https = self._https_of(config)
        with self._move(config, https) as move:
            composed = self._composition(config)
            try:
                if https is not None and https is self._https:
                    https.reload(config)
            except BaseException:
                composed.close()
                raise
            # From here on nothing fails; what the old ports still accept is served as is new.
            self._https = https
            for name in changed:
                self._log.warn("{key} has changed: that needs a restart", key=name)
            self._put_in_force(config, composed)
        self._take_urls(move)
        self._tell_where(self._urls)
        for url in move.fresh:
            self._log.info("listening on {url}", url=url)
        for url in move.closed_urls:
            self._log.info("no longer listening on {url}", url=url)
        self._warn([url for url in move.fresh if url in self._urls])
        self._sites.dismiss(move.closed)

    def _https_of(self, config: Config) -> Https | None:
        """The one that there is, unless ``config`` has other ideas. Raises ``CertificateError``."""
        if not config.https:
            return None
        return Https(config) if self._https is None else self._https

    def _put_in_force(self, config: Config, composed: Composed) -> None:
        self._composed.close()
        self._config, self._composed = config, composed
        self._accounting.reload(config)
        reloading = Deferred.fromCoroutine(self._storage.reload(config))
        reloading.addErrback(self._not_resized)
        self._sites.serve(composed.served)
        self._control.resource = composed.control
        composed.warming.start()
        self._certify()
        self._log.info("the configuration has been read again and is in force")

    def _not_resized(self, failure: Failure) -> None:
        self._log.warn("the size stays as it was: {why}", why=failure.getErrorMessage())

    async def _close(self) -> None:
        if self._certification is not None:
            self._certification.stop()
        await self._listeners.stop()
        if self._control_port is not None:
            await self._control_port.stopListening()
        self._composed.end_streams()
        await self._sites.drain(self._config.shutdown_grace)
        await self._composed.close()
        self._end_loops()
        if self._scrubbing is not None:
            self._scrubbing.cancel()
        await self._storage.close()
        self._accounting.close()
        self._folder.close()
