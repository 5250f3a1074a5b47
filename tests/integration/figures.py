"""A mirror's figures in every state, made up, and a server that tells them with the real page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from typing import Any

from twisted.web.test.requesthelper import DummyRequest

from hubmirror.monitor.page import Page

__all__ = ["HOSTILE", "TOKEN", "FakeMirror", "busier", "figures", "history", "quiet_history"]
__all__ += ["serving", "states"]

TOKEN = "letmein"
#: A name as a client may send it where nobody checks.
HOSTILE = "<img src=x onerror=\"document.body.dataset.pwned='yes'\"><script>alert(1)</script>"

Figures = dict[str, Any]

_LAYER = "sha256:" + "3f9a7c51be20" + "0" * 52
_GIB = 1 << 30


def states() -> dict[str, Figures]:
    """What ``/quota`` may say, by a name for it."""
    return {
        "empty": _empty(),
        "busy": figures(),
        "unlimited": _unlimited(),
        "spent": _spent(),
        "down": _down(),
        "public": _public(),
        "hostile": _hostile(),
    }


def figures() -> Figures:
    """A busy day that ends well."""
    return {
        "limit": 100_000,
        "used": 62_140,
        "remaining": 37_860,
        "reset": _utc(_midnight()),
        "on_exhausted": "cache-only",
        "minute": {"limit": 1_000, "used": 112, "remaining": 888, "reset": _utc(_midnight())},
        "forecast": {"used_at_reset": 71_300, "exhausted_at": None},
        "today": _row([51_702, 4_650, 1_108, 40, 12], 412 * _GIB, 18 * _GIB),
        "hit_ratio": 0.934,
        "reserves": [{"name": "production", "size": 20_000, "used": 8_112}],
        "clients": [
            _account("client", f"192.0.2.{n}", 20_000 // n, n % 3) | {"network": _network(n)}
            for n in range(1, 9)
        ],
        "networks": [_account("network", "ci", 41_020, 3), _account("network", "office", 9_100)],
        "users": [_account("user", "alice", 1_204), _account("user", "build-bot", 88)],
        "repositories": [_account("repository", name, 18_000 // n) for n, name in _IMAGES],
        "hub": {
            "limits": [
                _limit("", "203.0.113.9", 100, 76),
                _limit("alice", None, 200, 31, _utc(_now() + timedelta(hours=1, minutes=20))),
            ],
            "pulls": [
                {
                    "at": _utc(_now() - timedelta(minutes=7 * n)),
                    "client": f"192.0.2.{n}",
                    "image": f"{name}:latest",
                }
                for n, name in _IMAGES[:4]
            ],
        },
        "upstream": {
            "url": "https://registry-1.docker.io",
            "is_up": True,
            "since": None,
            "outages": [],
        },
        "fetches": [
            _fetch("pytorch/pytorch", 3 * _GIB, 2 * _GIB, 3, "a1"),
            _fetch("library/postgres", 142 << 20, 31 << 20, 1, "b2"),
        ],
        "login": {"ok": True, "message": ""},
    }


def busier() -> Figures:
    """The same a moment later: other numbers, one fetch more, one client more."""
    told = figures()
    told |= {"used": 99_871, "remaining": 129, "hit_ratio": None}
    told["today"]["pulls_saved"] = 1_234_567
    told["clients"].append(_account("client", "2001:db8::17", 3) | {"network": None})
    told["fetches"].append(_fetch(None, 77, 0, 1, "c3"))
    told["hub"]["limits"][0]["remaining"] = 5
    return told


def history() -> list[Figures]:
    """24 hours, the last of them the one that runs: a night and a day of work."""
    this_hour = _now().replace(minute=0, second=0, microsecond=0)
    rows = []
    for ago in range(23, -1, -1):
        load = [1, 2, 3, 5, 8, 13, 20, 26, 31, 28, 33, 36, 30, 24, 18, 15, 11, 8, 6, 4, 3, 2, 2, 1][
            23 - ago
        ]
        outcomes = [130 * load, 9 * load + 20, 40 if load > 30 else 0, load // 3, load // 9]
        row = _row(outcomes, load * _GIB, load * (_GIB // (6 if load > 10 else 2)))
        rows.append({"start": _utc(this_hour - timedelta(hours=ago)), **row})
    return rows


def quiet_history() -> list[Figures]:
    """24 hours in which nobody asked for anything."""
    return [{"start": row["start"], **_row([0] * 5, 0, 0)} for row in history()]


def _empty() -> Figures:
    told = figures()
    told |= {"used": 0, "remaining": 100_000, "hit_ratio": None, "fetches": []}
    told |= {"reserves": [], "clients": [], "networks": [], "users": [], "repositories": []}
    told["minute"] |= {"used": 0, "remaining": 1_000}
    told["forecast"] = {"used_at_reset": 0, "exhausted_at": None}
    told["today"] = _row([0] * 5, 0, 0)
    told["hub"] = {"limits": [], "pulls": []}
    del told["login"]
    return told


def _unlimited() -> Figures:
    told = figures()
    told |= {"limit": None, "remaining": None}
    told["minute"] |= {"limit": None, "remaining": None}
    return told


def _spent() -> Figures:
    told = figures()
    told |= {"used": 100_000, "remaining": 0}
    told["forecast"] = {"used_at_reset": 100_000, "exhausted_at": _utc(_now())}
    told["hub"]["limits"][0] |= {"remaining": 0, "exhausted_at": _utc(_now())}
    told["today"]["by_outcome"]["refused"] = 2_310
    return told


def _down() -> Figures:
    told = figures()
    since = _utc(_now() - timedelta(minutes=47))
    hosts = ["registry-1.docker.io", "auth.docker.io"]
    told["upstream"] |= {
        "is_up": False,
        "since": since,
        "outages": [{"host": host, "since": since} for host in hosts],
    }
    told["fetches"] = []
    told["forecast"] = {
        "used_at_reset": 100_000,
        "exhausted_at": _utc(_now() + timedelta(minutes=95)),
    }
    return told


def _public() -> Figures:
    told = figures()
    for key in ("reserves", "clients", "networks", "users", "repositories", "login"):
        del told[key]
    del told["hub"]["pulls"]
    for limit in told["hub"]["limits"]:
        del limit["payer"], limit["source"]
    del told["upstream"]["url"], told["upstream"]["outages"]
    for fetch in told["fetches"]:
        del fetch["digest"], fetch["repository"]
    return told


def _hostile() -> Figures:
    told = figures()
    told["repositories"][0]["repository"] = HOSTILE
    told["clients"][0] |= {"client": HOSTILE, "network": HOSTILE}
    told["networks"][0]["network"] = told["users"][0]["user"] = HOSTILE
    told["reserves"][0]["name"] = HOSTILE
    told["hub"]["limits"][0]["source"] = told["hub"]["limits"][1]["payer"] = HOSTILE
    told["hub"]["pulls"][0] |= {"client": HOSTILE, "image": HOSTILE}
    told["fetches"][0] |= {"repository": HOSTILE, "digest": HOSTILE}
    told["login"] = {"ok": False, "message": HOSTILE}
    told["upstream"] |= {"is_up": False, "since": _utc(_now())}
    told["upstream"]["outages"] = [{"host": HOSTILE, "since": _utc(_now())}]
    return told


_IMAGES = list(
    enumerate(
        [
            "library/busybox",
            "library/postgres",
            "pytorch/pytorch",
            "grafana/grafana",
            "library/nginx",
            "bitnami/kubectl",
            "an-organisation-with-a-long-name/and-an-image-with-a-longer-one",
            "library/redis",
            "library/python",
            "library/alpine",
        ],
        1,
    )
)


def _row(outcomes: list[int], sent: int, fetched: int) -> Figures:
    labels = ["hit", "miss", "stale", "refused", "error"]
    return {
        "requests": sum(outcomes),
        "admitted": sum(outcomes) - outcomes[3],
        "by_kind": {"manifest_get": outcomes[0] // 4, "blob": outcomes[0] // 2},
        "by_outcome": dict(zip(labels, outcomes, strict=True)),
        "bytes_in": 1_000 * sum(outcomes),
        "bytes_out": sent,
        "upstream_requests": 2 * outcomes[1],
        "upstream_bytes": fetched,
        "pulls": outcomes[1] // 20,
        "pulls_saved": outcomes[0] // 5,
    }


def _account(dimension: str, name: str, requests: int, refused: int = 0) -> Figures:
    return {
        dimension: name,
        "requests": requests,
        "refused": refused,
        "bytes_in": 100 * requests,
        "bytes_out": requests * (7 << 20),
        "pulls": requests // 900,
    }


def _limit(
    payer: str, source: str | None, limit: int, left: int, end: str | None = None
) -> Figures:
    seen = _utc(_now() - timedelta(minutes=4))
    told = {"payer": payer, "source": source, "limit": limit, "remaining": left}
    return told | {"window": 21_600, "seen": seen, "exhausted_at": end}


def _fetch(repository: str | None, size: int, kept: int, readers: int, start: str) -> Figures:
    digest = f"sha256:{start}{_LAYER[9:]}"
    return {
        "digest": digest,
        "repository": repository,
        "size": size,
        "kept": kept,
        "readers": readers,
    }


def _network(number: int) -> str | None:
    return {1: "ci", 2: "office"}.get(number)


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _midnight() -> datetime:
    return (_now() + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


class FakeMirror:
    """What the server tells: set ``status`` and ``token``, and ``tell`` figures.

    Without ``is_streaming`` there is no stream; with ``is_held_back`` there is one of which
    nothing comes through. ``listeners`` are the streams that are open, ``asked`` the paths that
    were asked for, in their order.
    """

    def __init__(self, url: str, page: tuple[dict[str, str], bytes]) -> None:
        self.url = url
        self.page = page
        self.status = 200
        self.token: str | None = None
        self.is_streaming = True
        self.is_held_back = False
        self.history = history()
        self.listeners = 0
        self.asked: list[str] = []
        self.images: dict[str, tuple[int, object]] = {}
        self._figures = figures()
        self._version = 0
        self._changed = Condition()
        self._is_closed = False

    def tell(self, told: Figures) -> None:
        """From now on, to all who listen."""
        with self._changed:
            self._figures = deepcopy(told)
            self._version += 1
            self._changed.notify_all()

    def hang_up(self) -> None:
        """End all streams."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def pick_up(self) -> None:
        """Let streams begin again."""
        self._is_closed = False

    @property
    def figures(self) -> Figures:
        """What is told now."""
        return self._figures

    def news(self) -> Iterator[Figures | None]:
        """All that is told, beginning with what is told now; None now and then."""
        seen = -1
        while not self._is_closed:
            with self._changed:
                if self._version == seen:
                    self._changed.wait(0.2)
                changed, seen = self._version != seen, self._version
            yield self._figures if changed else None

    def status_for(self, authorization: str | None) -> int:
        """The status that the figures have for a request with this ``Authorization``."""
        if self.token and authorization != f"Bearer {self.token}":
            return 401
        return self.status


@contextmanager
def serving(page_url: str | None = "") -> Iterator[FakeMirror]:
    """A server on a free port of loopback.

    ``page_url`` is by which URL the page says that clients pull: the server's own if it is empty.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    url = f"http://127.0.0.1:{server.server_port}"
    mirror = FakeMirror(url, _page(url if page_url == "" else page_url))
    server.RequestHandlerClass = type("Handler", (_Handler,), {"mirror": mirror})
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield mirror
    finally:
        mirror.hang_up()
        server.shutdown()
        thread.join()
        server.server_close()


def _page(url: str | None) -> tuple[dict[str, str], bytes]:
    """The real page's headers and body."""
    request = DummyRequest([b""])
    Page("registry-1.docker.io", lambda _request: url).render(request)
    fields = request.responseHeaders.getAllRawHeaders()
    head = {name.decode(): value.decode() for name, (value,) in fields}
    return head, b"".join(request.written)


class _Handler(BaseHTTPRequestHandler):
    mirror: FakeMirror
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.mirror.asked.append(self.path)
        tell = {"/": self._tell_page, "/quota": self._tell_quota, "/quota/stream": self._stream}
        tell |= {"/quota/history": self._tell_history}
        if path in self.mirror.images:
            self._tell_image(*self.mirror.images[path])
            return
        found = tell.get(path)
        status = 404 if found is None else self.mirror.status_for(self.headers["Authorization"])
        if found is None or (path != "/" and status != 200):
            self.send_error(status)
        else:
            found()

    def _tell_image(self, status: int, told: object) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _tell_page(self) -> None:
        head, body = self.mirror.page
        self._send(head["Content-Type"], body, head)

    def _tell_quota(self) -> None:
        self._send("application/json", json.dumps(self.mirror.figures).encode())

    def _tell_history(self) -> None:
        told = {"range": "24h", "step": "hour", "rows": self.mirror.history}
        self._send("application/json", json.dumps(told).encode())

    def _stream(self) -> None:
        if not self.mirror.is_streaming:
            return self.send_error(503)
        self._send("text/event-stream", b"")
        self.mirror.listeners += 1
        try:
            for told in self.mirror.news():
                if self.mirror.is_held_back:
                    continue
                event = f"event: quota\ndata: {json.dumps(told)}\n\n" if told else ": here\n\n"
                self.wfile.write(event.encode())
                self.wfile.flush()
        except OSError:
            pass  # the browser has gone
        finally:
            self.mirror.listeners -= 1

    def _send(self, kind: str, body: bytes, head: Mapping[str, str] | None = None) -> None:
        self.send_response(200)
        for name, value in {"Content-Type": kind, **(head or {})}.items():
            if name not in ("Transfer-Encoding", "Content-Length", "Date", "Server"):
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002, the base's name
        """Not a word."""
