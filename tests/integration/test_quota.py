"""The quota as clients meet it at the door: exact under load, fair, and kept over restarts."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlencode

import pytest
from attrs import evolve, frozen

from hubmirror.demo.content import Blob
from tests.integration.live_hub import LiveHub, live_hub
from tests.integration.pulling import basic
from tests.support.mirror import Mirror, MirrorStarter
from tests.support.quota import THREADS, Caller, told
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration
EACH_WAY = True

REPOSITORY = "library/open"
#: How many blobs it has: more than anybody here may get.
BLOBS = 60

#: Clients by their networks.
CI, PRODUCTION, NEIGHBOUR, PROXY = "127.0.0.2", "127.0.0.3", "127.0.0.5", "127.0.0.4"
NETWORKS = f"""
[networks]
ci = ["{CI}/32"]
production = ["{PRODUCTION}/32"]
"""


@frozen
class Setup:
    """How a mirror of ``hub`` is started; its configuration file may be written again."""

    start: MirrorStarter
    hub: LiveHub
    file: Path

    def mirror(self, rules: str, *options: str) -> Mirror:
        """A mirror with these rules, and no limit for the minute unless they have one."""
        self.write(rules)
        listen = ("--http", "127.0.0.1:0", "--config", self.file)
        return self.start("serve", *listen, *self.hub.upstream, *options)

    def write(self, rules: str) -> None:
        """Other rules, for a mirror that reads them again."""
        limit = "" if "quota_minute" in rules else "quota_minute = 0\n"
        self.file.write_text(f"{limit}{rules}")

    def asked(self) -> int:
        """How many requests for what is in a repository have come to the Hub."""
        paths = self.hub.asked("registry")
        return sum(count for (_, path, _), count in paths.items() if path != "/v2/")


@pytest.fixture
def blobs() -> Sequence[Blob]:
    """What ``REPOSITORY`` holds."""
    return [Blob.of(b"%d" % number * 100) for number in range(BLOBS)]


@pytest.fixture
def setup(start: MirrorStarter, tmp_path: Path, blobs: Sequence[Blob]) -> Iterator[Setup]:
    """A Hub with ``REPOSITORY``."""
    with live_hub() as hub:
        for blob in blobs:
            hub.store.add_blob(REPOSITORY, blob)
        yield Setup(start, hub, tmp_path / "hubmirror.toml")


def pings(count: int) -> list[str]:
    """Paths of requests that each go upstream."""
    return ["/v2/"] * count


def unknown(count: int) -> list[str]:
    """Paths of manifests that nobody has asked for."""
    return [f"/v2/{REPOSITORY}/manifests/v{number}" for number in range(count)]


def through(statuses: Mapping[int, int]) -> int:
    """How many of these were not refused by a limit."""
    return sum(count for status, count in statuses.items() if status != 429)


def token(caller: Caller, user: str | None = None) -> Caller:
    """The same client, with a token for ``REPOSITORY`` that it got at ``/token``."""
    query = urlencode({"service": "registry.demo", "scope": f"repository:{REPOSITORY}:pull"})
    granted = caller.ask(f"/token?{query}", basic(user) if user is not None else None)
    assert granted.status == 200, granted
    bearer = f"Bearer {json.loads(granted.body)['token']}"
    return evolve(caller, headers={"Authorization": bearer})


def named(listed: Sequence[Mapping[str, Any]], key: str, name: str) -> Mapping[str, Any]:
    """The one of ``listed`` whose ``key`` is ``name``."""
    found = [each for each in listed if each[key] == name]
    assert len(found) == 1, listed
    return found[0]


def reload(mirror: Mirror) -> None:
    """SIGHUP, and the new configuration in force."""
    in_force = "read again and is in force"
    before = mirror.program.text().count(in_force)
    mirror.program.signal(signal.SIGHUP)
    wait_until(
        lambda: mirror.program.text().count(in_force) > before,
        "the configuration is read again",
        context=mirror.program.text,
    )


@pytest.mark.parametrize("mode", ["refuse", "cache-only"])
def test_exact_under_load(setup: Setup, mode: str) -> None:
    """Sixteen clients at once get exactly what there is, not one request more or less."""
    mirror = setup.mirror(f'quota = 200\non_exhausted = "{mode}"\n')

    statuses = Caller(mirror).ask_all(unknown(25 * THREADS))

    assert statuses == {401: 200, 429: 25 * THREADS - 200}
    assert setup.asked() == 200
    now = told(mirror)
    assert (now["limit"], now["used"], now["remaining"]) == (200, 200, 0)


def test_counted_and_not_limited(setup: Setup) -> None:
    """With ``count`` nobody is refused, and all are counted."""
    mirror = setup.mirror('quota = 50\non_exhausted = "count"\n')

    statuses = Caller(mirror).ask_all(pings(10 * THREADS))

    assert through(statuses) == told(mirror)["used"] == 10 * THREADS


def test_what_is_kept_outlives_the_day(setup: Setup, blobs: Sequence[Blob]) -> None:
    """When all is spent, what is kept is still given, and nothing else."""
    mirror = setup.mirror("quota = 10\n")
    caller = token(Caller(mirror))
    kept, other = (f"/v2/{REPOSITORY}/blobs/{blob.digest}" for blob in blobs[:2])
    assert caller.ask(kept).status == 200
    caller.ask_all(pings(THREADS))

    assert caller.ask(kept).status == 200
    assert caller.ask(other).status == 429
    assert told(mirror)["used"] == 10


def test_a_greedy_client_leaves_the_others_theirs(setup: Setup, blobs: Sequence[Blob]) -> None:
    """``ci`` gets its limit, a neighbour what is common, ``production`` its share to the last."""
    mirror = setup.mirror(f"""
quota = 100
{NETWORKS}
[[quota_client]]
network = "ci"
requests_per_day = 50
[[quota_reserve]]
share = "30%"
networks = ["production"]
""")
    ci, neighbour = Caller(mirror, CI), Caller(mirror, NEIGHBOUR)

    assert through(ci.ask_all(pings(10 * THREADS))) == 50
    assert through(neighbour.ask_all(pings(10 * THREADS))) == 20

    production = token(Caller(mirror, PRODUCTION))
    cold = [f"/v2/{REPOSITORY}/blobs/{blob.digest}" for blob in blobs]
    assert production.ask_all(cold) == {200: 29, 429: len(cold) - 29}
    assert told(mirror)["used"] == 100


def test_it_is_told_who_spent_what(setup: Setup) -> None:
    """``/quota`` has each network's, each client's and each reserve's requests, to the last."""
    mirror = setup.mirror(f"""
quota = 100
on_exhausted = "refuse"
{NETWORKS}
[[quota_client]]
network = "ci"
requests_per_day = 50
[[quota_reserve]]
share = "30%"
networks = ["production"]
""")
    Caller(mirror, CI).ask_all(pings(60))
    Caller(mirror, PRODUCTION).ask_all(unknown(12))

    now = told(mirror)

    ci, production = named(now["networks"], "network", "ci"), named(now["clients"], "client", CI)
    assert (ci["requests"], ci["refused"]) == (50, 10)
    assert (production["requests"], production["network"]) == (50, "ci")
    assert named(now["networks"], "network", "production")["requests"] == 12
    assert named(now["repositories"], "repository", REPOSITORY)["requests"] == 12
    assert now["reserves"] == [{"name": "production", "size": 30, "used": 12}]
    assert now["today"]["requests"] == 72
    assert now["today"]["by_outcome"]["refused"] == 10


def test_a_refusal_says_until_when(setup: Setup) -> None:
    """A 429 has the registry's error and three fields, which agree with ``/quota``."""
    mirror = setup.mirror("quota = 1\n")
    caller = Caller(mirror)
    assert through(caller.ask_all(pings(1))) == 1

    refused = caller.ask("/v2/")

    assert refused.status == 429
    error = json.loads(refused.body)["errors"][0]
    assert error["code"] == "TOOMANYREQUESTS"
    assert told(mirror)["reset"] in error["message"]
    seconds = int(refused.headers["Retry-After"])
    assert 0 < seconds <= 86400
    assert refused.headers["RateLimit-Policy"] == '"day";q=1;w=86400'
    assert refused.headers["RateLimit"] == f'"day";r=0;t={seconds}'


def test_a_client_is_told_of_its_own_limit(setup: Setup) -> None:
    """Which of several limits is spent, and all that hold for this client."""
    mirror = setup.mirror("[[quota_client]]\nrequests_per_day = 9\nrequests_per_minute = 1\n")
    caller = Caller(mirror)

    def refusal() -> Any:
        answer = caller.ask("/v2/")
        return answer if answer.status == 429 else None

    refused = wait_until(refusal, "the second request within a minute")

    policies = '"client-day";q=9;w=86400, "client-minute";q=1;w=60'
    assert refused.headers["RateLimit-Policy"] == policies
    seconds = int(refused.headers["Retry-After"])
    assert 0 < seconds <= 60
    assert refused.headers["RateLimit"] == f'"client-minute";r=0;t={seconds}'
    assert Caller(mirror, NEIGHBOUR).ask("/v2/").status != 429


def test_only_a_trusted_proxy_names_clients(setup: Setup) -> None:
    """Another's ``X-Forwarded-For`` makes it nobody else; a trusted one's clients each have theirs.

    What a client itself wrote before the proxy's own word does not count.
    """
    rules = "[[quota_client]]\nrequests_per_day = 3\n"
    mirror = setup.mirror(rules, "--trusted-proxies", f"{PROXY}/32")

    def ask(address: str, forwarded: str) -> bool:
        return Caller(mirror, address).ask("/v2/", {"X-Forwarded-For": forwarded}).status != 429

    assert [ask(NEIGHBOUR, f"192.0.2.{number}") for number in range(5)] == [True] * 3 + [False] * 2
    for client in ("192.0.2.1", "192.0.2.2"):
        assert [ask(PROXY, client) for _ in range(4)] == [True] * 3 + [False]
    assert [ask(PROXY, f"198.51.100.{number}, 192.0.2.3") for number in range(4)] == (
        [True] * 3 + [False]
    )


def test_a_user_has_limits_wherever_it_is(setup: Setup) -> None:
    """A user's own limit holds for its tokens, from all addresses together, and for nobody else."""
    mirror = setup.mirror('[[quota_client]]\nuser = "alice"\nrequests_per_day = 20\n')
    alice, bob = token(Caller(mirror, CI), "alice"), token(Caller(mirror, CI), "bob")
    elsewhere = evolve(alice, address=NEIGHBOUR)

    assert through(alice.ask_all(pings(15))) == 15
    assert through(elsewhere.ask_all(pings(15))) == 5
    assert through(bob.ask_all(pings(30))) == 30
    assert through(Caller(mirror, CI).ask_all(pings(30))) == 30


def test_a_user_has_a_reserve(setup: Setup) -> None:
    """A user's share is there when all else is spent, in its name alone."""
    mirror = setup.mirror("""
quota = 100
on_exhausted = "refuse"
[[quota_reserve]]
share = "10%"
users = ["alice"]
""")
    alice, bob = token(Caller(mirror), "alice"), token(Caller(mirror), "bob")

    assert through(Caller(mirror).ask_all(pings(100))) == 88
    assert through(bob.ask_all(pings(THREADS))) == 0
    assert through(alice.ask_all(pings(2 * THREADS))) == 10
    assert told(mirror)["used"] == 100


def test_sighup_changes_limits_at_once(setup: Setup) -> None:
    """More is there at once, less is spent at once; what was counted stays counted."""
    per_client = '{NETWORKS}\n[[quota_client]]\nnetwork = "ci"\nrequests_per_day = '
    per_client = per_client.format(NETWORKS=NETWORKS)
    mirror = setup.mirror(f"quota = 20\n{per_client}10\n")
    ci, neighbour = Caller(mirror, CI), Caller(mirror, NEIGHBOUR)
    assert through(ci.ask_all(pings(2 * THREADS))) == 10
    assert through(neighbour.ask_all(pings(2 * THREADS))) == 10

    setup.write(f"quota = 50\n{per_client}15\n")
    reload(mirror)
    assert through(ci.ask_all(pings(2 * THREADS))) == 5
    assert through(neighbour.ask_all(pings(4 * THREADS))) == 25

    setup.write("quota = 30\n")
    reload(mirror)
    assert through(neighbour.ask_all(pings(THREADS))) == 0
    now = told(mirror)
    assert (now["limit"], now["used"], now["remaining"]) == (30, 50, 0)


def test_a_restart_gives_nothing_away(setup: Setup) -> None:
    """The day's count, each client's spending, reserves and history are as they were."""
    rules = f"""
quota = 100
on_exhausted = "refuse"
{NETWORKS}
[[quota_client]]
network = "ci"
requests_per_day = 20
[[quota_reserve]]
share = "30%"
networks = ["production"]
"""
    mirror = setup.mirror(rules)
    assert through(Caller(mirror, CI).ask_all(pings(25))) == 20
    assert through(Caller(mirror, PRODUCTION).ask_all(pings(12))) == 12
    assert mirror.program.status is None
    mirror.program.stop()

    mirror = setup.mirror(rules)
    assert through(Caller(mirror, CI).ask_all(pings(THREADS))) == 0
    assert through(Caller(mirror, NEIGHBOUR).ask_all(pings(4 * THREADS))) == 50
    assert through(Caller(mirror, PRODUCTION).ask_all(pings(2 * THREADS))) == 18

    now, history = told(mirror), told(mirror, "/quota/history?range=24h&step=hour")
    assert now["used"] == 100
    ci = named(now["networks"], "network", "ci")
    assert (ci["requests"], ci["refused"]) == (20, 5 + THREADS)
    assert sum(row["admitted"] for row in history["rows"]) == 100
    assert now["today"]["admitted"] == 100


class Listener(ThreadingHTTPServer):
    """Whom a webhook tells: ``events`` are the JSON objects that were posted."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Post)
        self.events: list[dict[str, Any]] = []

    def percents(self) -> list[int]:
        """The percents that it was told are reached, in order."""
        return [event["percent"] for event in tuple(self.events) if event["event"] == "quota"]


class _Post(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.events.append(json.loads(body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def listening() -> Iterator[Listener]:
    """A ``Listener`` in a thread."""
    with Listener() as listener:
        thread = Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield listener
        finally:
            listener.shutdown()
            thread.join()


def test_a_webhook_is_told_once_each(setup: Setup, tmp_path: Path) -> None:
    """50, 80 and 95 percent are told once, a restart between them or not."""
    with listening() as listener:
        file = tmp_path / "webhook"
        file.touch(0o600)
        file.write_text(f"http://127.0.0.1:{listener.server_port}/quota\n")
        rules = f'quota = 100\non_exhausted = "refuse"\nquota_webhook = "{file}"\n'
        mirror = setup.mirror(rules)
        assert through(Caller(mirror).ask_all(pings(60))) == 60
        wait_until(lambda: listener.percents() == [50], "the first", context=mirror.program.text)
        mirror.program.stop()

        mirror = setup.mirror(rules)
        assert through(Caller(mirror).ask_all(pings(10 * THREADS))) == 40
        wait_until(lambda: len(listener.percents()) >= 3, "all", context=mirror.program.text)
        mirror.program.stop()

        assert listener.percents() == [50, 80, 95]
        assert all(event["limit"] == 100 and event["reset"] for event in listener.events)
