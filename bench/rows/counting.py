"""What the quota costs: daemons that count, and one that is the same but for that."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import frozen

from bench.comparing import by_peer, compared
from bench.content import MANIFEST_TYPE, NAME, TAG, Content
from bench.peers import Hub, Running
from bench.processes import PYTHON, Process
from bench.reading import body_of
from bench.results import Aim, Row, Series
from bench.wrk import manifests_a_second

__all__ = ["measure"]

AIM = Aim(1.03)
#: The turns that make a sample, and the seconds of each: short, for what is looked for is small
#: beside what a machine's other work does to a second.
TURNS, SECONDS = 6, 1
#: Limits that nobody reaches, of the day and the minute as by default.
LIMITS = """\
quota = 1000000000000
quota_minute = 1000000000000
"""
#: Rules of every other kind, too.
RULES = f"""\
{LIMITS}
[networks]
production = ["192.0.2.0/24"]
here = ["127.0.0.0/8"]
[[quota_client]]
network = "here"
requests_per_day = 1000000000000
requests_per_minute = 1000000000000
bytes_per_day = "1000000GB"
[[quota_reserve]]
share = "20%"
networks = ["production"]
"""
#: Each peer: how ``bench.uncounted`` is told to be it, and its configuration.
PEERS = {
    "hubmirror": ("counted", LIMITS),
    "all rules": ("counted", RULES),
    "uncounted": ("uncounted", LIMITS),
}


@frozen
class _Sample:
    """Of a warm manifest by tag, in microseconds: time, and CPU time."""

    wall: float
    cpu: float


def measure(rounds: int) -> Row:
    """All run side by side and are asked in turn for a manifest that is kept."""
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        content = Content(folder / "content")
        content.image([content.blob(1000)])
        hub = Hub.start(stack, content)
        mirrors = [
            _start(stack, folder / peer, hub, mode, rules) for peer, (mode, rules) in PEERS.items()
        ]
        for mirror in mirrors:
            _turn(mirror)
        samples = [_round(mirrors) for _ in range(rounds)]
    series: list[Series] = []
    for quantity, field in (("manifest by tag, wall", "wall"), ("manifest by tag, CPU", "cpu")):
        values = by_peer(
            tuple(PEERS), [[getattr(sample, field) for sample in each] for each in samples]
        )
        series += compared(quantity, "us", values, "uncounted", AIM)
    return Row("counting", series)


def _start(stack: ExitStack, folder: Path, hub: Hub, mode: str, rules: str) -> Running:
    folder.mkdir()
    (folder / "hubmirror.toml").write_text(rules)
    places = ("--http", "127.0.0.1:0", "--upstream", hub.registry, "--data", folder / "data")
    options = ("--config", folder / "hubmirror.toml", "--egress-proxy", "off", "--tag-ttl", "1h")
    command: list[str | Path] = [PYTHON, "-m", "bench.uncounted", mode, *places, *options]
    process = stack.enter_context(Process(command))
    url = process.wait_for_line(r"listening on (http://\S+)")[1]
    body_of(_manifest(url), MANIFEST_TYPE)
    return Running(url, process)


def _round(mirrors: Sequence[Running]) -> list[_Sample]:
    """One sample of each: the sum of its turns."""
    turns = [[_turn(mirror) for mirror in mirrors] for _ in range(TURNS)]
    return [_of_turns(each) for each in zip(*turns, strict=True)]


def _turn(mirror: Running) -> tuple[float, float]:
    """How many manifests it gave, and the CPU seconds that these took."""
    spent = mirror.cpu_seconds()
    given = manifests_a_second(_manifest(mirror.url), SECONDS) * SECONDS
    return given, mirror.cpu_seconds() - spent


def _of_turns(turns: Sequence[tuple[float, float]]) -> _Sample:
    given, spent = map(sum, zip(*turns, strict=True))
    return _Sample(TURNS * SECONDS / given * 1e6, spent / given * 1e6)


def _manifest(url: str) -> str:
    return f"{url}/v2/{NAME}/manifests/{TAG}"
