"""``hubmirror demo``: an embedded Hub, a mirror before it, and a pull told step by step."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from signal import SIGHUP, signal
from tempfile import TemporaryDirectory
from typing import Any

from attrs import define
from treq.client import HTTPClient
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.internet.task import react
from twisted.web.client import Agent, ResponseFailed

from hubmirror.demo.child import MirrorEnded, MirrorProcess, start_mirror
from hubmirror.demo.hub import Hub
from hubmirror.demo.image import hello_image
from hubmirror.demo.store import MemoryStore
from hubmirror.demo.walk import StepFailed, Walk, host_architecture

__all__ = ["main", "make_parser", "summary"]

summary = "show a pull through the mirror, step by step, without the internet"

#: Seconds that the mirror may take to start, and that the whole pull may take.
_PATIENCE = 30
_LABEL_WIDTH = 14
_FAILURES = (StepFailed, MirrorEnded, ConnectError, ConnectionClosed, ResponseFailed)


def main(arguments: Sequence[str]) -> int:
    """Run the demo until Ctrl-C, or to the end of its steps; returns the exit status."""
    options = make_parser().parse_args(arguments)
    with TemporaryDirectory(prefix="hubmirror-demo-") as folder:
        try:
            react(_run, [options, folder])
        except SystemExit as ended:
            return int(ended.code or 0)
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The verb's arguments."""
    parser = argparse.ArgumentParser(prog="hubmirror demo", description=f"{summary.capitalize()}.")
    parser.add_argument("--once", action="store_true", help="end after the steps")
    parser.add_argument(
        "--http",
        default="127.0.0.1:0",
        metavar="HOST:PORT",
        help="where the mirror listens (default: a free port on loopback)",
    )
    return parser


def _run(reactor: Any, options: argparse.Namespace, folder: str) -> Deferred[None]:
    store = MemoryStore()
    store.add_image("library/hello", "latest", hello_image())
    demo = _Demo(reactor, options, folder, Hub(reactor, store))
    # However the demo ends, by its steps, a failure or a signal, the mirror ends before it.
    reactor.addSystemEventTrigger("before", "shutdown", demo.stop)
    signal(SIGHUP, lambda *_: reactor.callFromThread(reactor.stop))  # the terminal was closed
    return Deferred.fromCoroutine(demo.run())


@define
class _Demo:
    _reactor: Any
    _options: argparse.Namespace
    _folder: str
    _hub: Hub
    _mirror: MirrorProcess | None = None

    async def run(self) -> None:
        """Start all, take the steps, and stay. ``SystemExit(1)`` after a word on a failure."""
        try:
            await self._show()
        except _FAILURES as error:
            print(f"\nfailed: {error or type(error).__name__}", flush=True)
            raise SystemExit(1) from None

    def stop(self) -> Deferred[None]:
        """End the mirror and the Hub."""
        ending = [self._hub.stop()]
        if self._mirror is not None:
            ending.append(self._mirror.stop())
        ended: Deferred[None] = gatherResults(ending).addCallback(lambda _all: None)
        return ended

    async def _show(self) -> None:
        await self._hub.start()
        _say("hub", f"{self._hub.registry_url}, a small Docker Hub that holds library/hello")
        self._mirror = start_mirror(self._reactor, self._mirror_options())
        url = await self._in_time(self._mirror.listening, "the mirror did not start")
        _say("mirror", f"{url}, hubmirror serve --upstream {self._hub.registry_url}")
        steps = Deferred.fromCoroutine(self._steps(url))
        await self._in_time(steps, "the pull did not end")
        if self._options.once:
            return
        print(_invitation(url), flush=True)
        self._mirror.on_line = _print_line
        raise MirrorEnded(await self._mirror.ended)

    async def _steps(self, url: str) -> None:
        client = HTTPClient(Agent(self._reactor))
        walk = Walk(client, url, "hello", "latest", host_architecture(), self._hub.token_url, _say)
        config, *layers = await walk.documents()
        await walk.blob("config", config)
        self._tell_of_redirect()
        for layer in layers:
            await walk.blob("layer", layer)
        _say("digests right", "index, manifest, config and layer hash to what names them")
        await walk.quota()

    def _tell_of_redirect(self) -> None:
        """By the Hub's own log, since the client itself saw no redirect."""
        at_blob_host = [seen for seen in self._hub.requests if seen.host == "blobs"]
        if not at_blob_host or any(seen.has_authorization for seen in at_blob_host):
            raise StepFailed("the blob host was not asked, or was sent the client's token")
        _say(
            "redirect",
            f"followed by the mirror to {self._hub.blob_url}, another origin, without the token;"
            " the client saw none",
        )

    def _mirror_options(self) -> list[str]:
        return [
            *("--http", self._options.http),
            *("--upstream", self._hub.registry_url),
            *("--search-upstream", self._hub.registry_url),
            *("--data", self._folder),
            *("--library-prefix", "true"),
            *("--egress-proxy", "off"),
            *("--shutdown-grace", "1s"),
        ]

    def _in_time(self, waiting: Deferred[Any], otherwise: str) -> Deferred[Any]:
        def too_late(_value: object, seconds: float) -> None:
            raise StepFailed(f"{otherwise} within {seconds:.0f} s")

        return waiting.addTimeout(_PATIENCE, self._reactor, too_late)


def _say(step: str, text: str) -> None:
    print(f"{step:<{_LABEL_WIDTH}}{text}", flush=True)


def _print_line(line: str) -> None:
    print(line, flush=True)


def _invitation(url: str) -> str:
    host = url.partition("//")[2]
    return f"""
The mirror runs until Ctrl-C, and logs below what it is asked. In another terminal, try:
  docker run --rm {host}/hello:latest
  skopeo inspect --tls-verify=false docker://{host}/hello:latest
  skopeo copy --all --src-tls-verify=false docker://{host}/hello:latest oci:/tmp/hello:latest
  curl -i {url}/v2/
  docker search {host}/hello
  curl -OJ {url}/image/hello:latest.tar?platform=linux/{host_architecture()}
  curl {url}/quota
"""
